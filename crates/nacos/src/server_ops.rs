//! Operations on the server itself, one file each.

mod cluster_nodes;
mod health_check;
mod loader;
pub(crate) mod members;
mod probes;
mod server_list;
mod server_state;

pub(crate) use cluster_nodes::ClusterNodes;
pub(crate) use health_check::HealthCheck;
pub(crate) use loader::Loader;
pub(crate) use probes::Probe;
pub(crate) use server_list::ServerList;
pub(crate) use server_state::{SPOKEN_VERSION, ServerState};
