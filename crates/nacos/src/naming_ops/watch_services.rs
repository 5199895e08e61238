//! Hear which services there are, by a pattern of their names: gRPC `NamingFuzzyWatchRequest`.

use super::instance::refused;
use crate::{
    Answer, Ask, check,
    fault::{Fault, Shape},
    form, grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation, unexpected},
    reply::Nothing,
    service_watch::{self, MATCHES_MAX, RECEIVED_NAMES_MAX},
};
use access::Resource;
use base::Consistency;
use http::StatusCode;
use naming::{Pattern, Refusal, Reply, Request, ServiceKey};
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};

/// More patterns are watched than allowed.
const TOO_MANY_PATTERNS: u16 = 50_310;
/// The pattern takes more names than are told.
const TOO_MANY_MATCHES: u16 = 50_311;

#[derive(Debug)]
pub(crate) struct WatchServices {
    /// As the client wrote it.
    text: Arc<str>,
    pattern: Pattern,
    watch: bool,
    /// What the client has; `None` when it begins.
    received: Option<BTreeSet<ServiceKey>>,
    /// This request made the watch: if it fails, there is none.
    new: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    #[serde(deserialize_with = "json::text")]
    group_key_pattern: Option<String>,
    #[serde(deserialize_with = "json::text")]
    watch_type: Option<String>,
    initializing: Option<bool>,
    received_group_keys: Option<Vec<String>>,
}

impl WatchServices {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let body: Body = grpc::read(body)?;
        let text = body.group_key_pattern.unwrap_or_default();
        let pattern = read(&text)?;
        let watch = match body.watch_type.as_deref() {
            None | Some("WATCH") => true,
            Some("CANCEL_WATCH") => false,
            Some(other) => {
                let shape = Shape::Error { result: 400 };
                let text = format!("Unsupported request type {other}");
                return Err(Fault::new(shape, StatusCode::BAD_REQUEST, 400, text));
            }
        };
        let received = body.received_group_keys.unwrap_or_default();
        let received = received.iter().take(RECEIVED_NAMES_MAX);
        let received = received.filter_map(|key| service_watch::read_key(key));
        let received = received.filter(|key| pattern.takes(key)).collect();
        let received = Some(received).filter(|_| !body.initializing.unwrap_or(true));
        Ok(Self { text: text.into(), pattern, watch, received, new: false }.into())
    }
}

/// `namespace>>group>>name`, with `*` in the last two.
fn read(text: &str) -> Result<Pattern, Fault> {
    let parts: Vec<&str> = text.split(">>").collect();
    let [namespace, group, name] = parts[..] else {
        return Err(Fault::plain(
            "Param 'groupKeyPattern' is illegal, it should be format as 'namespace>>group>>service'",
        ));
    };
    check::namespace(namespace)?;
    check::group(&group.replace('*', ""))?;
    check::service(&name.replace('*', ""))?;
    if group.is_empty() || name.is_empty() {
        return Err(Fault::plain("Param 'groupKeyPattern' is illegal, a part of it is blank"));
    }
    Ok(Pattern {
        namespace: form::canonical(Some(namespace)),
        group: group.into(),
        name: name.into(),
    })
}

impl Operate for WatchServices {
    fn need(&self) -> Need {
        let Pattern { namespace, group, .. } = self.pattern.clone();
        let names = Resource::Service { namespace, group, name: "*".into() };
        Need::read(names, Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let pattern = self.pattern.clone();
        let watches = &mut context.client.service_watches;
        if self.watch {
            // From now on what the plane tells is taken note of; the comparison comes after its answer.
            self.new = watches.add(&self.text, &pattern);
            return Next::Ask(Ask::Naming(Request::Watch { pattern }));
        }
        if watches.remove(&self.text, &pattern) {
            return Next::Ask(Ask::Naming(Request::Unwatch { pattern }));
        }
        Next::Reply(context.door.ok(Nothing {}))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Naming(Reply::Done)) if self.watch => {
                let pattern = &self.pattern;
                let taken = |view: &naming::ServiceView| pattern.takes(&view.key);
                let namespace = Some(&*pattern.namespace);
                let page = context.views.services(namespace, &taken, 0, MATCHES_MAX);
                let names = page.items.iter().map(|view| view.key.clone()).collect();
                let received = self.received.take();
                context.client.service_watches.compare(&self.text, names, received);
                if page.count > MATCHES_MAX {
                    let text = "fuzzy watch pattern matched count over limit";
                    let door = context.door;
                    return Next::Reply(door.answer(500, TOO_MANY_MATCHES, Some(text), Nothing {}));
                }
                Next::Reply(context.door.ok(Nothing {}))
            }
            Event::Answer(Answer::Naming(Reply::Done)) => Next::Reply(context.door.ok(Nothing {})),
            event => {
                if self.new {
                    context.client.service_watches.remove(&self.text, &self.pattern);
                }
                match event {
                    Event::Answer(Answer::Naming(Reply::Refused(
                        refusal @ Refusal::TooManyPatterns { .. },
                    ))) => {
                        let text = refusal.to_string();
                        let door = context.door;
                        let told = door.answer(500, TOO_MANY_PATTERNS, Some(&text), Nothing {});
                        Next::Reply(told)
                    }
                    Event::Answer(Answer::Naming(Reply::Refused(refusal))) => {
                        Next::Fault(refused(&refusal))
                    }
                    event => unexpected(event),
                }
            }
        }
    }
}
