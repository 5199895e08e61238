//! Configs, their changes and their history.

use crate::dates::rfc3339;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A config in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigLine {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its group.
    pub group: Arc<str>,
    /// Its data id.
    pub data_id: Arc<str>,
    /// `yaml`, `json`, …
    #[serde(rename = "type")]
    pub content_type: Arc<str>,
    /// Length of the content in bytes.
    pub bytes: usize,
    /// Of the content.
    pub md5: Arc<str>,
    /// Log index of the last change.
    pub revision: u64,
    /// When it was published last.
    pub modified_at: String,
    /// By whom; empty when nobody logged in.
    pub modified_by: Arc<str>,
}

/// A config with its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// What the list shows.
    #[serde(flatten)]
    pub line: ConfigLine,
    /// The content.
    pub content: Arc<str>,
    /// When it was published first.
    pub created_at: String,
    /// What it is.
    pub description: Arc<str>,
    /// Comma-separated.
    pub tags: Arc<str>,
    /// The application that owns it.
    pub app: Arc<str>,
}

/// One of several changes that are made together, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedChange {
    /// `public` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// `DEFAULT_GROUP` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// Which config.
    pub data_id: Arc<str>,
    /// What it becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Arc<str>>,
    /// It goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
    /// Only over the content with this md5; empty: only if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cas_md5: Option<Arc<str>>,
    /// `yaml`, `json`, …; as it was when absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Arc<str>>,
    /// What it is; as it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Arc<str>>,
    /// Comma-separated; as they were when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Arc<str>>,
    /// The application that owns it; as it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<Arc<str>>,
}

/// One change of a config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// Log index of the change.
    pub revision: u64,
    /// `insert`, `update` or `delete`.
    pub operation: String,
    /// Of the content as the change made it; for a removal as it was before.
    pub md5: Arc<str>,
    /// Length of that content.
    pub bytes: usize,
    /// When.
    pub modified_at: String,
    /// By whom.
    pub modified_by: Arc<str>,
    /// From where.
    pub address: Arc<str>,
    /// Of which gray version, as `beta` or `tag_…`; absent for the formal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gray: Option<String>,
    /// The content, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Arc<str>>,
}

/// The history of a config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigHistory {
    /// Newest first.
    pub changes: Vec<ConfigChange>,
    /// To be given as `before` for what came earlier; absent when there is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

impl From<&config::Entry> for ConfigLine {
    fn from(entry: &config::Entry) -> Self {
        Self {
            namespace: Arc::clone(&entry.key.namespace),
            group: Arc::clone(&entry.key.group),
            data_id: Arc::clone(&entry.key.data_id),
            content_type: Arc::clone(&entry.details.content_type),
            bytes: entry.content.len(),
            md5: Arc::clone(&entry.md5),
            revision: entry.revision.0,
            modified_at: rfc3339(entry.modified_ms),
            modified_by: Arc::clone(&entry.author.user),
        }
    }
}

impl From<&config::Entry> for Config {
    fn from(entry: &config::Entry) -> Self {
        Self {
            line: ConfigLine::from(entry),
            content: Arc::clone(&entry.content),
            created_at: rfc3339(entry.created_ms),
            description: Arc::clone(&entry.details.description),
            tags: Arc::clone(&entry.details.tags),
            app: Arc::clone(&entry.details.app_name),
        }
    }
}
