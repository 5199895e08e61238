//! Hear which services there are, by a pattern of their names: gRPC `NamingFuzzyWatchRequest`.
//!
//! The plane is asked first, then the views are looked at: no name falls between. What is told then is in `watching`.

use crate::{
    Answer, Ask, check,
    fault::{Fault, Shape},
    form, grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Nothing,
    watching::{HELD_NAMES_MAX, WATCHED_NAMES_MAX, read_service_key},
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
    /// `None`: no longer.
    watch: Option<Held>,
}

/// What the client says of itself.
#[derive(Debug)]
struct Held {
    names: BTreeSet<ServiceKey>,
    initial: bool,
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
            None | Some("WATCH") => {
                // Who begins holds nothing, whatever it says.
                let initial = body.initializing.unwrap_or(true);
                let received = body.received_group_keys.filter(|_| !initial).unwrap_or_default();
                let received = received.iter().take(HELD_NAMES_MAX);
                let names = received.filter_map(|text| read_service_key(text));
                Some(Held { names: names.filter(|key| pattern.takes(key)).collect(), initial })
            }
            Some("CANCEL_WATCH") => None,
            Some(other) => {
                let shape = Shape::Error { result: 400 };
                let text = format!("Unsupported request type {other}");
                return Err(Fault::new(shape, StatusCode::BAD_REQUEST, 400, text));
            }
        };
        Ok(Self { text: text.into(), pattern, watch }.into())
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
        if self.watch.is_some() {
            return Next::Ask(Ask::Naming(Request::Watch { pattern }));
        }
        let watched = &mut context.client.watched_services;
        match watched.cancel(&self.text) {
            Some(pattern) if !watched.watches(&pattern) => {
                Next::Ask(Ask::Naming(Request::Unwatch { pattern }))
            }
            Some(_) | None => Next::Reply(context.door.ok(Nothing {})),
        }
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        let door = context.door;
        match (event, self.watch.take()) {
            (Event::Answer(Answer::Naming(Reply::Done)), None) => Next::Reply(door.ok(Nothing {})),
            (Event::Answer(Answer::Naming(Reply::Done)), Some(Held { names, initial })) => {
                let pattern = &self.pattern;
                let taken = |view: &naming::ServiceView| pattern.takes(&view.key);
                let (namespace, limit) = (Some(&*pattern.namespace), WATCHED_NAMES_MAX + 1);
                let found = context.views.services(namespace, &taken, 0, limit);
                let found: Vec<ServiceKey> = found.items.iter().map(|v| v.key.clone()).collect();
                let (text, pattern) = (self.text.clone(), pattern.clone());
                let watched = &mut context.client.watched_services;
                if watched.watch(text, pattern, &found, names, initial) {
                    let text = "fuzzy watch pattern matched count over limit";
                    return Next::Reply(door.answer(500, TOO_MANY_MATCHES, Some(text), Nothing {}));
                }
                Next::Reply(door.ok(Nothing {}))
            }
            (
                Event::Answer(Answer::Naming(Reply::Refused(
                    refusal @ Refusal::TooManyPatterns { .. },
                ))),
                _,
            ) => {
                let text = refusal.to_string();
                Next::Reply(door.answer(500, TOO_MANY_PATTERNS, Some(&text), Nothing {}))
            }
            (event, _) => failed(event),
        }
    }
}
