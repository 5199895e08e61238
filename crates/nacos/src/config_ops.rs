//! Operations on the config center, one file each, with all forms in which clients ask for it.

mod fields;
mod listen;
mod listeners;
mod poll;
mod publish;
mod query;
mod remove;
mod version;

pub(crate) use listen::BatchListen;
pub(crate) use listeners::ListListeners;
pub(crate) use poll::Poll;
pub(crate) use publish::Publish;
pub(crate) use query::QueryConfig;
pub(crate) use remove::RemoveConfig;
