//! The nouns of access: who, what, and on which resource.

use base::Revision;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// The name of the first administrator, as existing clients expect it.
pub const ADMINISTRATOR: &str = "nacos";
/// The role that may do everything, in Nacos's spelling.
pub const ADMINISTRATOR_ROLE: &str = "ROLE_ADMIN";
/// The canonical default namespace.
pub const PUBLIC_NAMESPACE: &str = "public";

/// Bytes that must not be shown: printing one shows that it is there, not what it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a cipher or a MAC.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Principal {
    /// Nobody said.
    Anonymous,
    /// This user, proven by a token or a password.
    User(Arc<str>),
    /// This door lets clients in without a login (`--auth off`, or `dev` on loopback).
    Open,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// Look.
    Read,
    /// Change.
    Write,
}

/// On what. Authorisation is decided from this value where the request is handled, never from a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A service and its instances; `name` is the name without its group.
    Service {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its group.
        group: Arc<str>,
        /// Its name; `*` for "the names of this group".
        name: Arc<str>,
    },
    /// A config.
    Config {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its group.
        group: Arc<str>,
        /// Its data id; `*` for "the data ids of this group".
        data_id: Arc<str>,
    },
    /// The lock of this key; `*` for the list of locks. Locks are in no namespace: the right is `lock/<key>`, or Nacos's
    /// `grpc/lock` for all of them.
    Lock(Arc<str>),
    /// The list of namespaces: every user may read it, administrators change it.
    Namespaces,
    /// The password of this user: its own, or any for administrators.
    Password(Arc<str>),
    /// Users, roles and permissions: administrators.
    Accounts,
    /// State, metrics, journal of the server: every user may read them, administrators change them.
    Server,
}

/// A user as stored. Printed without the hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// A bcrypt hash (`$2a$`, `$2b$` or `$2y$`), as Nacos stores it.
    pub password_hash: Arc<str>,
}

/// A namespace as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its name for people.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Arc<str>,
}

/// A right of a role: Nacos's resource pattern and action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Permission {
    /// `<namespace>:<group>:<config|naming|*>/<name>` with `*`, e.g. `public:*:*`; for locks `lock/<key>` or `grpc/lock`.
    pub resource: Arc<str>,
    /// `r`, `w` or `rw`.
    pub action: Arc<str>,
}

/// Everything that access decisions are made from, at one moment. Immutable; replaced as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Log index of the last change of any table below. A remembered credential is good for one revision only.
    pub revision: Revision,
    /// Signs tokens; `None` until the first start's command is applied.
    pub token_key: Option<Secret>,
    /// By name.
    pub users: BTreeMap<Arc<str>, User>,
    /// User to roles.
    pub roles: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Role to rights.
    pub permissions: BTreeMap<Arc<str>, BTreeSet<Permission>>,
    /// By id; `public` is not in it: it always exists.
    pub namespaces: BTreeMap<Arc<str>, Namespace>,
}
