//! Operations on the registry, one file each, with all forms in which clients ask for it.

mod batch;
mod deregister;
mod instance;
mod persistent;
mod query_service;
mod register;
mod service_list;
mod subscribe;

pub(crate) use batch::RegisterBatch;
pub(crate) use deregister::Deregister;
pub(crate) use instance::instance_request;
pub(crate) use persistent::RegisterPersistent;
pub(crate) use query_service::QueryService;
pub(crate) use register::Register;
pub(crate) use service_list::ListServices;
pub(crate) use subscribe::Subscribe;
