//! Services and instances as the works use them.

use crate::{
    grpc::{self, Grpc},
    http::Http,
    problem::Wrong,
};
use http::Method;
use serde::Deserialize;
use std::fmt::Write;

/// Hosts of the service that is asked for.
pub(crate) const HOSTS: u16 = 10;

#[derive(Deserialize)]
pub(crate) struct Host {
    pub(crate) ip: String,
    pub(crate) port: u16,
    pub(crate) weight: f64,
}

/// The part of a ServiceInfo that is verified.
#[derive(Deserialize)]
pub(crate) struct ServiceInfo {
    pub(crate) hosts: Vec<Host>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queried {
    service_info: ServiceInfo,
}

impl ServiceInfo {
    /// Exactly the hosts that `register_hosts` registered.
    pub(crate) fn verify(&self, hosts: u16) -> Result<(), Wrong> {
        let right = |host: &Host| host.ip == "10.0.0.1" && (1..=hosts).contains(&host.port);
        let mut ports: Vec<u16> =
            self.hosts.iter().filter(|host| right(host)).map(|host| host.port).collect();
        ports.sort_unstable();
        ports.dedup();
        if ports.len() == usize::from(hosts) && self.hosts.len() == ports.len() {
            return Ok(());
        }
        let (right, all) = (ports.len(), self.hosts.len());
        Err(Wrong(format!("{all} hosts, {right} of the {hosts} that were registered")))
    }
}

/// How many hosts a node lists, as a client of HTTP v1 sees it.
pub(crate) async fn count(client: &mut Http, service: &str) -> Result<usize, Wrong> {
    let path = format!("/nacos/v1/ns/instance/list?serviceName={service}");
    let answer = client.call(Method::GET, &path, String::new()).await?;
    let listed: Result<ServiceInfo, _> = serde_json::from_slice(&answer);
    listed.map(|listed| listed.hosts.len()).map_err(|_| Wrong::expected("a list", &answer))
}

/// The JSON of one instance.
fn instance(ip: &str, port: u16, weight: u64) -> String {
    format!(
        r#"{{"ip":"{ip}","port":{port},"weight":{weight}.0,"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"DEFAULT","metadata":{{}}}}"#
    )
}

/// Registers 10.0.0.1 with the ports 1 to `hosts` in one request.
pub(crate) async fn register_hosts(
    client: &mut Grpc,
    service: &str,
    hosts: u16,
) -> Result<(), Wrong> {
    let mut json = format!(
        r#"{{"namespace":"public","serviceName":"{service}","groupName":"DEFAULT_GROUP","type":"batchRegisterInstance","requestId":"1","instances":["#
    );
    for port in 1..=hosts {
        let comma = if port == 1 { "" } else { "," };
        write!(json, "{comma}{}", instance("10.0.0.1", port, 1)).expect("strings grow");
    }
    json.push_str("]}");
    client.ask("BatchInstanceRequest", &json, "BatchInstanceResponse").await.map(drop)
}

/// Registers one instance.
pub(crate) async fn register(
    client: &mut Grpc,
    service: &str,
    (ip, port): (&str, u16),
    weight: u64,
) -> Result<(), Wrong> {
    let json = format!(
        r#"{{"namespace":"public","serviceName":"{service}","groupName":"DEFAULT_GROUP","type":"registerInstance","requestId":"1","instance":{}}}"#,
        instance(ip, port, weight)
    );
    client.ask("InstanceRequest", &json, "InstanceResponse").await.map(drop)
}

pub(crate) async fn query(client: &mut Grpc, service: &str, hosts: u16) -> Result<(), Wrong> {
    let json = format!(
        r#"{{"namespace":"public","serviceName":"{service}","groupName":"DEFAULT_GROUP","cluster":"","healthyOnly":false,"udpPort":0,"requestId":"1"}}"#
    );
    let answer = client.ask("ServiceQueryRequest", &json, "QueryServiceResponse").await?;
    grpc::read::<Queried>(&answer)?.service_info.verify(hosts)
}
