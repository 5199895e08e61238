//! Operations on the registry, one file each, with all forms in which clients ask for it.

mod batch;
mod beat;
mod deregister;
mod instance;
mod instance_detail;
mod metrics;
mod persistent;
mod query_service;
mod register;
mod service;
mod service_list;
mod subscribe;
mod subscribers;

pub(crate) use batch::RegisterBatch;
pub(crate) use beat::Beat;
pub(crate) use deregister::Deregister;
pub(crate) use instance::instance_request;
pub(crate) use instance_detail::ShowInstance;
pub(crate) use metrics::Metrics;
pub(crate) use persistent::RegisterPersistent;
pub(crate) use query_service::QueryService;
pub(crate) use register::Register;
pub(crate) use service::ServiceItself;
pub(crate) use service_list::ListServices;
pub(crate) use subscribe::Subscribe;
pub(crate) use subscribers::ListSubscribers;
