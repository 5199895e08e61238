//! The registry plane: services, instances, clients, health, subscriptions and pushes.
#![forbid(unsafe_code)]

mod model;
mod request;
mod surface;

pub use model::{ClientId, ClusterNames, Instance, ServiceKey, ServiceView};
pub use request::{Counts, Refusal, Reply, Request, Subscriber};
pub use surface::{Input, Output};
