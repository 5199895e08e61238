//! Who listens to a config on this node, with the md5 each one holds: `GET /v1/cs/configs/listener`; and to what the
//! clients at an address listen: `GET /v1/cs/listener?ip=`.

use super::fields::{key_of_form, resource, tenant_of_form};
use crate::{
    Answer, Ask,
    fault::Fault,
    form::{self, Form},
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::{self, Rendered},
    watching::group_key,
};
use access::{PUBLIC_NAMESPACE, Resource};
use base::Consistency;
use config::{ConfigKey, KeyListener, Reply, Request};
use http::StatusCode;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug)]
pub(crate) enum ListListeners {
    /// To this config.
    To(ConfigKey),
    /// At this address.
    At {
        address: Arc<str>,
        /// Only its configs; those of all when there is none.
        namespace: Option<Arc<str>>,
    },
}

impl ListListeners {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        Ok(Self::To(key_of_form(form)?).into())
    }

    pub(crate) fn at_address(form: &Form) -> Result<Operation, Fault> {
        let address = form.some("ip").ok_or_else(|| Fault::missing("ip"))?.into();
        let tenant = tenant_of_form(form).filter(|tenant| !tenant.trim().is_empty());
        let all = tenant.is_none() && form.flag("all", false);
        let namespace = (!all).then(|| form::canonical(tenant));
        Ok(Self::At { address, namespace }.into())
    }
}

impl Operate for ListListeners {
    fn need(&self) -> Need {
        let all = || "*".into();
        let scope = match self {
            Self::To(key) => resource(key),
            Self::At { namespace, .. } => Resource::Config {
                namespace: namespace.clone().unwrap_or_else(all),
                group: all(),
                data_id: all(),
            },
        };
        Need::read(scope, Consistency::Stale)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Config(match self {
            Self::To(key) => Request::Listeners { key: key.clone() },
            Self::At { address, .. } => Request::ListenersAt { address: address.clone() },
        }))
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Config(Reply::Listeners(listeners))) => {
                Next::Reply(shown(by_address(listeners)))
            }
            Event::Answer(Answer::Config(Reply::ListenersAt(held))) => {
                Next::Reply(shown(self.by_key(held)))
            }
            event => failed(event),
        }
    }
}

impl ListListeners {
    /// By key as Nacos writes it: without the tenant where it is the public one.
    fn by_key(&self, held: Vec<(ConfigKey, Arc<str>)>) -> BTreeMap<String, Arc<str>> {
        let only = match self {
            Self::At { namespace, .. } => namespace.as_ref(),
            Self::To(_) => None,
        };
        let wanted = held.into_iter().filter(|(key, _)| only.is_none_or(|n| *n == key.namespace));
        wanted
            .map(|(key, md5)| {
                let text = group_key(&key);
                let public = text.strip_suffix(&format!("+{PUBLIC_NAMESPACE}")).map(str::to_owned);
                (public.unwrap_or(text), md5)
            })
            .collect()
    }
}

/// By address, as in Nacos; clients that share one and hold different contents are told apart by their connection.
fn by_address(listeners: Vec<KeyListener>) -> BTreeMap<String, Arc<str>> {
    let mut all: BTreeMap<String, Arc<str>> = BTreeMap::new();
    for KeyListener { connection, address, md5 } in listeners {
        let name = match all.get(&*address) {
            Some(other) if *other != md5 => format!("{address} ({connection})"),
            Some(_) | None => address.to_string(),
        };
        all.insert(name, md5);
    }
    all
}

fn shown(lisenters_groupkey_status: BTreeMap<String, Arc<str>>) -> Rendered {
    /// The spelling is Nacos's.
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown {
        collect_status: u16,
        lisenters_groupkey_status: BTreeMap<String, Arc<str>>,
    }
    let body = reply::to_json(&Shown { collect_status: 200, lisenters_groupkey_status });
    Rendered::Http(reply::http(StatusCode::OK, Some(reply::JSON_UTF8), body))
}
