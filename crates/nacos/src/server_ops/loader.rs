//! How clients are spread over the nodes, and that some go elsewhere: `GET /v2/core/loader/current`, `cluster`,
//! `reloadCurrent`, `reloadClient`, `smartReloadCluster`, and the same under `/v3/admin`, where what moves clients is a POST.
//!
//! A client that is to go is told where: SDKs come there with all that they have. Each node counts its own clients; it is
//! asked when somebody wants to know. What does not answer is missing in `cluster` (`completed` is false), and named by
//! `smartReloadCluster`, which does what it can without it and calls that a failure.

use super::members;
use crate::{
    Answer, Ask, Connected, Move, Place, dates,
    fault::{Fault, Shape},
    form::Form,
    naming_ops::CLIENTS_MAX,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Rendered,
};
use access::Resource;
use base::NodeId;
use cluster::{Crowd, TOLERANCE};
use http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) enum Loader {
    Current,
    Cluster,
    Reload(Move),
    Balance {
        /// In thousandths.
        tolerance: u32,
        /// Who did not say how many it has.
        silent: Vec<NodeId>,
    },
}

impl Loader {
    pub(crate) fn current(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Current.into())
    }

    pub(crate) fn cluster(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Cluster.into())
    }

    pub(crate) fn reload(form: &Form) -> Result<Operation, Fault> {
        let stay = form.count("count")?;
        Ok(Self::Reload(Move::AllBut { stay, to: address(form)? }).into())
    }

    pub(crate) fn reload_client(form: &Form) -> Result<Operation, Fault> {
        let name = form.some("connectionId").ok_or_else(|| Fault::required("connectionId"))?;
        Ok(Self::Reload(Move::One { name: name.to_owned(), to: address(form)? }).into())
    }

    pub(crate) fn balance(form: &Form) -> Result<Operation, Fault> {
        let tolerance = form.some("loaderFactor").map_or(Ok(TOLERANCE), factor)?;
        Ok(Self::Balance { tolerance, silent: Vec::new() }.into())
    }
}

/// As thousandths. Nacos's own default is written `0.1f`.
fn factor(text: &str) -> Result<u32, Fault> {
    let number = text.trim_end_matches(['f', 'F', 'd', 'D']).parse::<f64>().ok();
    let number = number.filter(|number| (0.0..=1.0).contains(number)).ok_or_else(|| {
        Fault::plain("Param 'loaderFactor' is illegal, it should be a number from 0 to 1.")
    })?;
    Ok((number * 1000.0).round() as u32)
}

/// Where they are to go, if it is said.
fn address(form: &Form) -> Result<Option<Place>, Fault> {
    let Some(text) = form.some("redirectAddress") else { return Ok(None) };
    Place::read(text).map(Some).ok_or_else(|| {
        Fault::plain("Param 'redirectAddress' is illegal, it should be format as 'ip:port'")
    })
}

impl Operate for Loader {
    /// Addresses of clients of all namespaces are shown, and clients are sent away.
    fn need(&self) -> Need {
        Need::write(Resource::Server)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        match self {
            Self::Current => Next::Ask(Ask::Clients { limit: CLIENTS_MAX }),
            Self::Cluster | Self::Balance { .. } => Next::Ask(Ask::Crowds),
            Self::Reload(clients) => Next::Ask(Ask::Move(clients.clone())),
        }
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match (&mut *self, event) {
            (Self::Current, Event::Answer(Answer::Clients(named))) => Next::Reply(current(&named)),
            (Self::Cluster, Event::Answer(Answer::Crowds { crowds, .. })) => {
                Next::Reply(spread(context, &crowds))
            }
            (Self::Reload(_), Event::Answer(Answer::Moved(_))) => {
                Next::Reply(done(context, "success"))
            }
            (
                Self::Balance { tolerance, silent },
                Event::Answer(Answer::Crowds { crowds, silent: without }),
            ) => {
                *silent = without;
                match cluster::even_out(&crowds, *tolerance) {
                    shifts if shifts.is_empty() => balanced(context, silent),
                    shifts => Next::Ask(Ask::Shift(shifts)),
                }
            }
            (
                Self::Balance { silent, .. },
                Event::Answer(Answer::Shifted { silent: without, .. }),
            ) => {
                silent.extend(without);
                balanced(context, silent)
            }
            (_, event) => failed(event),
        }
    }
}

/// What is said when there is nothing to say: v3 says nothing.
fn done(context: &Context<'_>, text: &'static str) -> Rendered {
    if context.door.is_wrapped() { Rendered::json(&()) } else { Rendered::text(text) }
}

/// What is said of a cluster whose nodes were all asked, or not. Officially v2 says no more than `Fail`.
fn balanced(context: &Context<'_>, silent: &[NodeId]) -> Next {
    if silent.is_empty() {
        return Next::Reply(done(context, "Ok"));
    }
    let members = members::listed(context);
    let names: Vec<String> =
        silent.iter().map(|node| members::address_of(&members, *node)).collect();
    let text = format!("{} did not answer: only the others were balanced", names.join(", "));
    if context.door.is_wrapped() {
        return Next::Fault(Fault::new(Shape::Plain, StatusCode::INTERNAL_SERVER_ERROR, 500, text));
    }
    Next::Reply(Rendered::text(format!("Fail: {text}")))
}

fn current(named: &[Connected]) -> Rendered {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Connection<'a> {
        traced: bool,
        meta_info: Meta<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Meta<'a> {
        connect_type: &'static str,
        client_ip: String,
        remote_ip: String,
        remote_port: u16,
        local_port: u16,
        version: &'a str,
        connection_id: &'a str,
        create_time: String,
        app_name: &'a str,
    }
    let shown: BTreeMap<&str, Connection<'_>> = named
        .iter()
        .map(|client| {
            let ip = client.remote.ip().to_canonical().to_string();
            let meta_info = Meta {
                connect_type: "GRPC",
                client_ip: ip.clone(),
                remote_ip: ip,
                remote_port: client.remote.port(),
                local_port: client.local.port(),
                version: &client.agent,
                connection_id: &client.name,
                create_time: dates::iso(client.since_ms),
                app_name: &client.application,
            };
            (client.name.as_str(), Connection { traced: false, meta_info })
        })
        .collect();
    Rendered::json(&shown)
}

/// What one node says of its clients. In v2 all of it is text.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Detail {
    V2 {
        address: String,
        metric: Metric<String>,
    },
    V3 {
        address: String,
        #[serde(flatten)]
        metric: Metric<u32>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metric<N> {
    sdk_con_count: N,
    con_count: N,
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<String>,
}

impl Detail {
    fn of(address: String, crowd: &Crowd, v3: bool) -> Self {
        let text = |thousandths| format!("{:?}", f64::from(thousandths) / 1000.0);
        let (load, cpu) =
            (crowd.busy.map(|busy| text(busy.load)), crowd.busy.map(|busy| text(busy.cpu)));
        let Crowd { streams, connections, .. } = *crowd;
        if v3 {
            let metric = Metric { sdk_con_count: streams, con_count: connections, load, cpu };
            return Self::V3 { address, metric };
        }
        let (sdk_con_count, con_count) = (streams.to_string(), connections.to_string());
        Self::V2 { address, metric: Metric { sdk_con_count, con_count, load, cpu } }
    }
}

/// How many clients each node has, of those that answered.
fn spread(context: &Context<'_>, crowds: &[Crowd]) -> Rendered {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Spread {
        detail: Vec<Detail>,
        member_count: usize,
        metrics_count: usize,
        completed: bool,
        max: u32,
        min: u32,
        avg: u32,
        threshold: serde_json::Value,
        total: u32,
    }
    let v3 = context.door.is_wrapped();
    let members = members::listed(context);
    let mut named: Vec<(String, &Crowd)> =
        crowds.iter().map(|crowd| (members::address_of(&members, crowd.node), crowd)).collect();
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    let streams = || crowds.iter().map(|crowd| crowd.streams);
    let total = streams().fold(0, u32::saturating_add);
    let avg = total.checked_div(u32::try_from(crowds.len()).unwrap_or(u32::MAX)).unwrap_or(0);
    let threshold = f64::from(avg) * 1.1;
    Rendered::json(&Spread {
        detail: named.into_iter().map(|(address, crowd)| Detail::of(address, crowd, v3)).collect(),
        member_count: members.len(),
        metrics_count: crowds.len(),
        completed: crowds.len() == members.len(),
        max: streams().max().unwrap_or(0),
        min: streams().min().unwrap_or(0),
        avg,
        threshold: if v3 { format!("{threshold:?}").into() } else { threshold.into() },
        total,
    })
}
