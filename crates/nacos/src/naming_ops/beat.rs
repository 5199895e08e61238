//! An instance that came over HTTP says that it lives: `PUT /v1/ns/instance/beat`.
//!
//! A full beat carries the instance and registers it if it is unknown; a light one carries its address only.

use super::instance::resource;
use crate::{
    Answer, Ask, check,
    fault::{ErrorCode, Fault, Shape},
    form::Form,
    json,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Rendered,
    service_info::cluster_or_default,
};
use http::StatusCode;
use naming::{ClientId, Instance, Reply, Request, ServiceKey};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The beat was taken.
const TAKEN: u16 = 10_200;
/// The instance is unknown: register it again.
const UNKNOWN: u16 = 20_404;

#[derive(Debug)]
pub(crate) struct Beat {
    service: ServiceKey,
    full: Option<Instance>,
    ip: Arc<str>,
    port: u16,
    cluster_name: Arc<str>,
    /// How it is answered.
    answer: Words,
}

/// In whose words a beat is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    /// A code in an object.
    Codes,
    /// `ok`, or an error of v3.
    V3,
}

/// The `beat` parameter.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    #[serde(deserialize_with = "json::text")]
    ip: Option<String>,
    #[serde(deserialize_with = "json::number")]
    port: Option<f64>,
    #[serde(deserialize_with = "json::text")]
    cluster: Option<String>,
    #[serde(deserialize_with = "json::number")]
    weight: Option<f64>,
    #[serde(deserialize_with = "json::texts")]
    metadata: BTreeMap<Arc<str>, Arc<str>>,
}

impl Beat {
    /// As v1, with the group in the service's name and nowhere else.
    pub(crate) fn from_http_v2(form: &Form) -> Result<Operation, Fault> {
        let name = form.some("serviceName").ok_or_else(|| Fault::missing("serviceName"))?;
        if !name.contains("@@") {
            return Err(Fault::plain(
                "Param 'serviceName' is illegal, it should be format as 'groupName@@serviceName'",
            ));
        }
        Self::from_http(form)
    }

    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let service = form.service()?;
        let full = form.some("beat").map(read).transpose()?;
        let (ip, port, cluster_name) = match &full {
            Some(instance) => (instance.ip.clone(), instance.port, instance.cluster_name.clone()),
            None => {
                // Light beats may come without a port: nothing is registered at port 0 then.
                let port = form.some("port").map_or(Some(0), |text| text.parse().ok());
                let ip = form.some("ip").unwrap_or_default();
                (ip.into(), check::port(port)?, form.cluster_name())
            }
        };
        Ok(Self { service, full, ip, port, cluster_name, answer: Words::Codes }.into())
    }

    /// The beat of v3: `POST /v3/client/ns/instance` with `heartBeat=true`.
    pub(crate) fn light(form: &Form) -> Result<Operation, Fault> {
        let (service, (ip, port)) = (form.service()?, form.address()?);
        let cluster_name = form.cluster_name();
        Ok(Self { service, full: None, ip, port, cluster_name, answer: Words::V3 }.into())
    }
}

fn read(text: &str) -> Result<Instance, Fault> {
    let body: Body = json::read(text.as_bytes()).map_err(|error| {
        let told = format!(
            "Server failed, caused: errCode: 101, errMsg: Nacos deserialize for class [com.alibaba.nacos.naming.healthcheck.RsInfo] failed, cause error[{error}].  ;caused: {error};"
        );
        Fault::new(Shape::Framework, StatusCode::INTERNAL_SERVER_ERROR, 500, told)
    })?;
    let ip = body.ip.as_deref().unwrap_or_default().trim();
    if ip.is_empty() {
        return Err(Fault::required("ip"));
    }
    check::ip(ip)?;
    let port = body.port.unwrap_or_default();
    let port = check::port((port.fract() == 0.0).then_some(port as i64))?;
    let cluster_name = cluster_or_default(body.cluster.as_deref());
    check::cluster(&cluster_name)?;
    check::metadata(&body.metadata)?;
    Ok(Instance {
        ip: ip.into(),
        port,
        cluster_name,
        weight: check::weight(body.weight.unwrap_or(1.0))?,
        healthy: true,
        enabled: true,
        ephemeral: true,
        metadata: body.metadata,
        instance_id: None,
    })
}

impl Operate for Beat {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Naming(Request::Beat {
            client: ClientId::Address { ip: self.ip.clone(), port: self.port },
            service: self.service.clone(),
            full: self.full.clone(),
            ip: self.ip.clone(),
            port: self.port,
            cluster_name: self.cluster_name.clone(),
        }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Beaten {
            client_beat_interval: u128,
            code: u16,
            light_beat_enabled: bool,
        }
        match event {
            Event::Answer(Answer::Naming(Reply::Beat { known, .. }))
                if self.answer == Words::V3 =>
            {
                if known {
                    return Next::Reply(Rendered::text("ok"));
                }
                // 200, in Nacos, too: clients branch on the code.
                let (status, text) = (StatusCode::OK, "");
                let fault = Fault::new(Shape::Plain, status, 404, text);
                Next::Fault(fault.with(ErrorCode::InstanceNotFound))
            }
            Event::Answer(Answer::Naming(Reply::Beat { known, interval })) => {
                Next::Reply(Rendered::json(&Beaten {
                    client_beat_interval: interval.as_millis(),
                    code: if known { TAKEN } else { UNKNOWN },
                    light_beat_enabled: context.views.switches().light_beat,
                }))
            }
            event => failed(event),
        }
    }
}
