//! Who listens to a config on this node, with the md5 each one holds: `GET /v1/cs/configs/listener`.

use super::fields::{key_of_form, refused, resource};
use crate::{
    Answer, Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, unexpected},
    reply::{self, Rendered},
};
use base::Consistency;
use config::{ConfigKey, KeyListener, Reply, Request};
use http::StatusCode;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug)]
pub(crate) struct ListListeners {
    key: ConfigKey,
}

impl ListListeners {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        Ok(Self { key: key_of_form(form)? }.into())
    }
}

impl Operate for ListListeners {
    fn need(&self) -> Need {
        Need::read(resource(&self.key), Consistency::Stale)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Config(Request::Listeners { key: self.key.clone() }))
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        /// The spelling is Nacos's. By address, as there; clients that share one and hold different contents are told
        /// apart by their connection.
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shown {
            collect_status: u16,
            lisenters_groupkey_status: BTreeMap<String, Arc<str>>,
        }
        match event {
            Event::Answer(Answer::Config(Reply::Listeners(listeners))) => {
                let mut lisenters_groupkey_status: BTreeMap<String, Arc<str>> = BTreeMap::new();
                for KeyListener { connection, address, md5 } in listeners {
                    let name = match lisenters_groupkey_status.get(&*address) {
                        Some(other) if *other != md5 => format!("{address} ({connection})"),
                        Some(_) | None => address.to_string(),
                    };
                    lisenters_groupkey_status.insert(name, md5);
                }
                let body =
                    reply::to_json(&Shown { collect_status: 200, lisenters_groupkey_status });
                let json = reply::http(StatusCode::OK, Some(reply::JSON_UTF8), body);
                Next::Reply(Rendered::Http(json))
            }
            Event::Answer(Answer::Config(Reply::Refused(refusal))) => {
                Next::Fault(refused(&refusal))
            }
            event => unexpected(event),
        }
    }
}
