//! Watch which configs there are, by a pattern of their names, or no longer: gRPC `ConfigFuzzyWatchRequest`.
//!
//! The plane is asked first, then the views are looked at: no name falls between. What is told then is in `watching`.

use crate::{
    Answer, Ask, check,
    fault::Fault,
    form, grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Nothing,
    watching::{HELD_NAMES_MAX, WATCHED_NAMES_MAX, read_group_key},
};
use access::{Action, Resource};
use base::Consistency;
use config::{ConfigKey, Pattern, Refusal, Reply, Request};
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};

/// Nacos's codes and texts for its limits.
const TOO_MANY_PATTERNS: (u16, &str) = (50_310, "fuzzy watch pattern over limit");
const TOO_MANY_NAMES: (u16, &str) = (50_311, "fuzzy watch pattern matched count over limit");

#[derive(Debug)]
pub(crate) struct WatchConfigs {
    /// As the client wrote it: it knows its watch by that.
    text: Arc<str>,
    pattern: Pattern,
    /// `None`: no longer.
    watch: Option<Held>,
}

/// What the client says of itself.
#[derive(Debug)]
struct Held {
    names: BTreeSet<ConfigKey>,
    initial: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    #[serde(deserialize_with = "json::text")]
    group_key_pattern: Option<String>,
    #[serde(deserialize_with = "json::text")]
    watch_type: Option<String>,
    received_group_keys: Option<Vec<String>>,
    initializing: bool,
}

impl WatchConfigs {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let body: Body = grpc::read(body)?;
        let text = body.group_key_pattern.unwrap_or_default();
        let pattern = pattern(&text)?;
        let watch = match body.watch_type.as_deref() {
            Some("WATCH") => {
                let received = body.received_group_keys.unwrap_or_default();
                if received.len() > HELD_NAMES_MAX {
                    let told = format!("more than {HELD_NAMES_MAX} receivedGroupKeys");
                    return Err(Fault::caused(told));
                }
                let names = received.iter().filter_map(|text| read_group_key(text));
                let names = names.filter(|key| pattern.takes(key)).collect();
                Some(Held { names, initial: body.initializing })
            }
            Some("CANCEL_WATCH") => None,
            other => {
                let other = other.unwrap_or_default();
                return Err(Fault::caused(format!("invalid watchType : {other}")));
            }
        };
        Ok(Self { text: text.into(), pattern, watch }.into())
    }
}

/// Reads `namespace>>group>>dataId`.
fn pattern(text: &str) -> Result<Pattern, Fault> {
    let parts: Vec<&str> = text.split(">>").map(str::trim).collect();
    let [namespace, group, data_id] = parts[..] else {
        let told = format!("invalid groupKeyPattern : {text}: namespace>>group>>dataId is taken");
        return Err(Fault::caused(told));
    };
    check::namespace(namespace)?;
    check::group(&group.replace('*', ""))?;
    check::data_id(&data_id.replace('*', ""))?;
    if group.is_empty() || data_id.is_empty() {
        return Err(Fault::caused(format!("invalid groupKeyPattern : {text}: a part is blank")));
    }
    let namespace = form::canonical(Some(namespace));
    Ok(Pattern { namespace, group: group.into(), data_id: data_id.into() })
}

impl Operate for WatchConfigs {
    /// A right to the pattern is a right to every name that it takes.
    fn need(&self) -> Need {
        let Pattern { namespace, group, data_id } = self.pattern.clone();
        Need::Right {
            action: Action::Read,
            resources: vec![Resource::Config { namespace, group, data_id }],
            consistency: Consistency::Linearizable,
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let pattern = self.pattern.clone();
        if self.watch.is_some() {
            return Next::Ask(Ask::Config(Request::Watch { pattern }));
        }
        let watched = &mut context.client.watched_configs;
        match watched.cancel(&self.text) {
            Some(pattern) if !watched.watches(&pattern) => {
                Next::Ask(Ask::Config(Request::Unwatch { pattern }))
            }
            Some(_) | None => Next::Reply(context.door.ok(Nothing {})),
        }
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match (event, self.watch.take()) {
            (Event::Answer(Answer::Config(Reply::Watching)), None) => {
                Next::Reply(context.door.ok(Nothing {}))
            }
            (Event::Answer(Answer::Config(Reply::Watching)), Some(Held { names, initial })) => {
                let Pattern { namespace, .. } = &self.pattern;
                let wanted = |entry: &config::Entry| self.pattern.takes(&entry.key);
                let limit = WATCHED_NAMES_MAX + 1;
                let found = context.views.configs(Some(namespace), &wanted, 0, limit);
                let found: Vec<ConfigKey> = found.items.iter().map(|e| e.key.clone()).collect();
                let (text, pattern) = (self.text.clone(), self.pattern.clone());
                let watched = &mut context.client.watched_configs;
                let too_many = watched.watch(text, pattern, &found, names, initial);
                Next::Reply(if too_many {
                    context.door.answer(500, TOO_MANY_NAMES.0, Some(TOO_MANY_NAMES.1), Nothing {})
                } else {
                    context.door.ok(Nothing {})
                })
            }
            (Event::Answer(Answer::Config(Reply::Refused(Refusal::TooManyPatterns { .. }))), _) => {
                let (code, text) = TOO_MANY_PATTERNS;
                Next::Reply(context.door.answer(500, code, Some(text), Nothing {}))
            }
            (event, _) => failed(event),
        }
    }
}
