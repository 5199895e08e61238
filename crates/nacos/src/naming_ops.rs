//! Operations on the registry, one file each, with all forms in which clients ask for it.

mod deregister;
mod instance;
mod query_service;
mod register;
mod subscribe;

pub(crate) use deregister::Deregister;
pub(crate) use instance::instance_request;
pub(crate) use query_service::QueryService;
pub(crate) use register::Register;
pub(crate) use subscribe::Subscribe;
