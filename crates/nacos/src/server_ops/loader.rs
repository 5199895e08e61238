//! How clients are spread over the nodes: `GET /v2/core/loader/current`, `cluster`, `reloadCurrent`, `reloadClient`,
//! `smartReloadCluster`.
//!
//! A client that is to go is told where: SDKs come there with all that they have. Each node knows its own clients; how many
//! the others have it does not, and says so (`completed` is false). So what would need that is refused when there are
//! others.

use super::members;
use crate::{
    Answer, Ask, Connected, Move, Place, dates,
    fault::{Fault, Shape},
    form::Form,
    naming_ops::CLIENTS_MAX,
    operation::{Context, Event, Need, Next, Operate, Operation, unexpected},
    reply::Rendered,
};
use access::Resource;
use http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) enum Loader {
    Current,
    Cluster,
    Reload(Move),
    Balance,
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

    pub(crate) fn balance(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Balance.into())
    }
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

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        match self {
            Self::Current => Next::Ask(Ask::Clients { limit: CLIENTS_MAX }),
            Self::Cluster => Next::Ask(Ask::Clients { limit: 0 }),
            Self::Reload(clients) => Next::Ask(Ask::Move(clients.clone())),
            Self::Balance if members::listed(context).len() == 1 => {
                Next::Reply(Rendered::text("Ok"))
            }
            Self::Balance => Next::Fault(Fault::new(
                Shape::Plain,
                StatusCode::NOT_IMPLEMENTED,
                501,
                "this node does not know how many clients the others have: nothing was done; \
                 use reloadCurrent on the node that has too many",
            )),
        }
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match (&*self, event) {
            (Self::Current, Event::Answer(Answer::Clients { named, .. })) => {
                Next::Reply(current(&named))
            }
            (Self::Cluster, Event::Answer(Answer::Clients { connections, streams, .. })) => {
                Next::Reply(spread(context, connections, streams))
            }
            (Self::Reload(_), Event::Answer(Answer::Moved(_))) => {
                Next::Reply(Rendered::text("success"))
            }
            (_, event) => unexpected(event),
        }
    }
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

/// As far as this node knows.
fn spread(context: &Context<'_>, connections: usize, streams: usize) -> Rendered {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Spread {
        detail: [Detail; 1],
        member_count: usize,
        metrics_count: usize,
        completed: bool,
        max: usize,
        min: usize,
        avg: usize,
        threshold: f64,
        total: usize,
    }
    #[derive(Serialize)]
    struct Detail {
        address: String,
        metric: Metric,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Metric {
        con_count: String,
        sdk_con_count: String,
    }
    let members = members::listed(context);
    let own = members.iter().find(|member| member.is_self).expect("this node is listed");
    let metric = Metric { con_count: connections.to_string(), sdk_con_count: streams.to_string() };
    Rendered::json(&Spread {
        detail: [Detail { address: own.address(), metric }],
        member_count: members.len(),
        metrics_count: 1,
        completed: members.len() == 1,
        max: streams,
        min: streams,
        avg: streams,
        threshold: streams as f64 * 1.1,
        total: streams,
    })
}
