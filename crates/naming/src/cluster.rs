//! What an operator says of a cluster name of a service: how its persistent instances are to be checked.
//!
//! It is kept and shown, and `checks` does accordingly. Where the checker is `None`, and only there, somebody else may say how
//! an instance is.

use crate::{Naming, Place, Refusal, Reply, ServiceKey, check};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Characters of the path and of the headers of a check.
const CHECK_CHARS_MAX: usize = 1_024;

/// How instances are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checker {
    /// Not at all: somebody says how they are.
    None,
    /// By connecting to them.
    #[default]
    Tcp,
    /// By a request.
    Http {
        /// What is asked for.
        path: Arc<str>,
        /// `name:value`, with `|` between.
        headers: Arc<str>,
        /// The status of a healthy answer.
        expected_code: u16,
    },
}

/// What is said of a cluster name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSettings {
    /// How its instances are checked.
    pub checker: Checker,
    /// Where, unless the next one says otherwise.
    pub check_port: u16,
    /// At the port of each instance.
    pub checks_instance_port: bool,
    /// Carried verbatim.
    pub metadata: BTreeMap<Arc<str>, Arc<str>>,
}

impl Default for ClusterSettings {
    /// What holds of a cluster name of which nothing was said.
    fn default() -> Self {
        Self {
            checker: Checker::default(),
            check_port: 80,
            checks_instance_port: true,
            metadata: BTreeMap::new(),
        }
    }
}

/// What can be refused without looking at the state.
pub(crate) fn check(
    service: &ServiceKey,
    cluster_name: &Arc<str>,
    settings: &ClusterSettings,
) -> Result<(), Refusal> {
    check::service(service)?;
    check::place(&Place { ip: "".into(), port: 0, cluster_name: cluster_name.clone() })?;
    check::metadata(&settings.metadata)?;
    match &settings.checker {
        Checker::None | Checker::Tcp => Ok(()),
        Checker::Http { path, headers, expected_code: _ } => {
            check::within("path", path, CHECK_CHARS_MAX)?;
            check::within("headers", headers, CHECK_CHARS_MAX)
        }
    }
}

impl Naming {
    pub(crate) fn cluster_settings(&self, service: &ServiceKey) -> Reply {
        let agreed = self.agreed.get(service);
        Reply::Clusters(agreed.map_or_else(BTreeMap::new, |agreed| agreed.clusters.clone()))
    }
}
