//! Namespaces, and logging in.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its id.
    pub id: Arc<str>,
    /// Its name for people.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Arc<str>,
}

/// What is sent to create or change a namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamespaceText {
    /// Its name for people; the id when absent.
    #[serde(default)]
    pub name: Option<Arc<str>>,
    /// What it is for.
    #[serde(default)]
    pub description: Arc<str>,
}

/// What is sent to log in.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user.
    pub username: Arc<str>,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The answer to a login.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// To be sent as `Authorization: Bearer …`.
    pub token: String,
    /// Whose.
    pub username: Arc<str>,
    /// Until when it is good.
    pub expires_at: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("username", &self.username).finish_non_exhaustive()
    }
}
