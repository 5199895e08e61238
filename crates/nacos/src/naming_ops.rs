//! Operations on the registry, one file each, with all forms in which clients ask for it.

mod batch;
mod beat;
mod deregister;
mod health;
mod instance;
mod instance_detail;
mod instance_edit;
mod metadata_batch;
mod metrics;
mod query_service;
mod register;
mod service;
mod service_list;
mod subscribe;
mod subscribers;

pub(crate) use batch::RegisterBatch;
pub(crate) use beat::Beat;
pub(crate) use deregister::Deregister;
pub(crate) use health::SetHealth;
pub(crate) use instance::{instance_request, persistent_request};
pub(crate) use instance_detail::ShowInstance;
pub(crate) use instance_edit::EditInstance;
pub(crate) use metadata_batch::EditMetadata;
pub(crate) use metrics::Metrics;
pub(crate) use query_service::QueryService;
pub(crate) use register::Register;
pub(crate) use service::ServiceItself;
pub(crate) use service_list::ListServices;
pub(crate) use subscribe::Subscribe;
pub(crate) use subscribers::ListSubscribers;
