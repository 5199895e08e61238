//! How the instances of a cluster name are to be checked: `PUT /v1/ns/cluster`.
//!
//! It is kept and shown, and decides whether anybody may say how an instance is (see `health`). Nothing is probed yet.

use super::instance::{changed, resource, settled};
use crate::{
    Ask, check,
    fault::Fault,
    form::{self, Form},
    json,
    operation::{Context, Event, Need, Next, Operate, Operation},
};
use naming::{Checker, ClusterSettings, Request, ServiceKey};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct DescribeCluster {
    service: ServiceKey,
    cluster_name: Arc<str>,
    settings: ClusterSettings,
}

impl DescribeCluster {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let required = |name| form.some(name).ok_or_else(|| Fault::required(name));
        let cluster_name = required("clusterName")?.into();
        let service = form.service()?;
        let check_port = check::port(required("checkPort")?.parse().ok())?;
        required("useInstancePort4Check")?;
        let checks_instance_port = form.flag("useInstancePort4Check", true);
        let checker = checker(required("healthChecker")?)?;
        let metadata = form.some("metadata").map(form::metadata).transpose()?.unwrap_or_default();
        let settings = ClusterSettings { checker, check_port, checks_instance_port, metadata };
        Ok(Self { service, cluster_name, settings }.into())
    }
}

fn checker(text: &str) -> Result<Checker, Fault> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Given {
        #[serde(deserialize_with = "json::text")]
        r#type: Option<String>,
        #[serde(deserialize_with = "json::text")]
        path: Option<String>,
        #[serde(deserialize_with = "json::text")]
        headers: Option<String>,
        #[serde(deserialize_with = "json::number")]
        expected_response_code: Option<f64>,
    }
    let given: Given = json::read(text.as_bytes())
        .map_err(|error| Fault::plain(format!("Param 'healthChecker' is illegal: {error}")))?;
    match given.r#type.as_deref() {
        Some("NONE") => Ok(Checker::None),
        Some("TCP") => Ok(Checker::Tcp),
        Some("HTTP") => {
            let code = given.expected_response_code.unwrap_or(200.0);
            if !(100.0..=599.0).contains(&code) {
                return Err(Fault::plain(
                    "Param 'healthChecker' is illegal: expectedResponseCode is no HTTP status.",
                ));
            }
            Ok(Checker::Http {
                path: given.path.unwrap_or_default().into(),
                headers: given.headers.unwrap_or_default().into(),
                expected_code: code as u16,
            })
        }
        Some("MYSQL") => Err(Fault::not_served("not served yet: the health checker MYSQL")),
        Some(_) | None => Err(Fault::plain(
            "Param 'healthChecker' is illegal: its type is one of HTTP, NONE, TCP.",
        )),
    }
}

impl Operate for DescribeCluster {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Naming(Request::UpdateCluster {
            service: self.service.clone(),
            cluster_name: self.cluster_name.clone(),
            settings: self.settings.clone(),
        }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match settled(event) {
            Ok(()) => Next::Reply(changed(context.door, "")),
            Err(refused) => Next::Fault(refused),
        }
    }
}

/// A checker as it is written.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(crate) enum ShownChecker<'a> {
    #[serde(rename = "NONE")]
    None {},
    #[serde(rename = "TCP")]
    Tcp {},
    #[serde(rename = "HTTP", rename_all = "camelCase")]
    Http { path: &'a str, headers: &'a str, expected_response_code: u16 },
}

impl<'a> ShownChecker<'a> {
    pub(crate) fn of(checker: &'a Checker) -> Self {
        match checker {
            Checker::None => Self::None {},
            Checker::Tcp => Self::Tcp {},
            Checker::Http { path, headers, expected_code } => {
                Self::Http { path, headers, expected_response_code: *expected_code }
            }
        }
    }
}
