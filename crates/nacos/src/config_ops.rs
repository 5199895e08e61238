//! Operations on the config center, one file each, with all forms in which clients ask for it.

mod capacity;
mod changes;
mod clone;
mod export;
mod fields;
mod import;
mod listen;
mod listeners;
mod metadata;
mod poll;
mod publish;
mod query;
mod remove;
mod remove_many;
mod search;
mod transfer;
mod version;
mod watch;

pub(crate) use capacity::ShowCapacity;
pub(crate) use changes::{ListChanges, ShowChange};
pub(crate) use clone::CloneConfigs;
pub(crate) use export::ExportConfigs;
pub(crate) use fields::refused_by_config_center;
pub(crate) use import::ImportConfigs;
pub(crate) use listen::BatchListen;
pub(crate) use listeners::ListListeners;
pub(crate) use poll::Poll;
pub(crate) use publish::Publish;
pub(crate) use query::QueryConfig;
pub(crate) use remove::RemoveConfig;
pub(crate) use remove_many::RemoveConfigs;
pub(crate) use search::SearchConfigs;
pub(crate) use watch::WatchConfigs;
