//! The long poll of v1: `POST /v1/cs/configs/listener`.
//!
//! The client names keys with the md5 it holds; the answer is held until one differs or the time is over.

use super::{
    fields::{refused_by_config_center, resource},
    version::Version,
};
use crate::{
    Answer, Ask, CallId, LISTENED_KEYS_MAX, check,
    fault::{Fault, Shape},
    form::{self, Form},
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::{self, Rendered},
};
use access::Action;
use base::{Consistency, Duration, Limit};
use config::{ConfigKey, Refusal, Reply, Request};
use form_urlencoded::byte_serialize;
use http::StatusCode;
use std::sync::Arc;

/// Between the fields of a line.
const WORD: char = '\u{2}';
/// Between lines.
const LINE: char = '\u{1}';
/// The answer leaves this long before the client's own timeout.
pub(crate) const ANSWER_EARLY: Duration = Duration::from_millis(500);
/// No poll is held shorter, whatever the client asks for, unless the limit is shorter.
pub(crate) const HOLD_MIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Poll {
    items: Vec<Item>,
    /// `None`: answer at once.
    hold: Option<Duration>,
    /// Without the header of a long poll the answer is in headers, as the oldest clients want it.
    in_headers: bool,
    /// The plane was asked to tell of changes.
    listening: bool,
}

#[derive(Debug)]
struct Item {
    key: ConfigKey,
    /// As the client wrote it; empty when it did not.
    tenant: String,
    md5: Arc<str>,
}

impl Poll {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let Some(lines) = form.get("Listening-Configs").filter(|lines| !lines.is_empty()) else {
            return Err(Fault::caused("invalid probeModify"));
        };
        let items = read(lines)?;
        let timeout = form.header("Long-Pulling-Timeout");
        let at_once = form.header("Long-Pulling-Timeout-No-Hangup") == Some("true");
        let hold = timeout.filter(|_| !at_once).map(|text| {
            let asked = Duration::from_millis(text.parse().unwrap_or(30_000));
            asked.saturating_sub(ANSWER_EARLY).max(HOLD_MIN)
        });
        Ok(Self { items, hold, in_headers: timeout.is_none(), listening: false }.into())
    }

    fn differing(&self, context: &Context<'_>) -> Vec<ConfigKey> {
        let audience = context.audience();
        let differs = |item: &&Item| {
            let current = Version::seen(context.views, &item.key, &audience);
            current.as_ref().map_or("", |version| &version.entry().md5) != &*item.md5
        };
        self.items.iter().filter(differs).map(|item| item.key.clone()).collect()
    }

    fn answer(&self, differ: &[ConfigKey]) -> Rendered {
        let mut lines = String::new();
        let mut old_lines = String::new();
        for item in self.items.iter().filter(|item| differ.contains(&item.key)) {
            let Item { key: ConfigKey { group, data_id, .. }, tenant, .. } = item;
            lines.push_str(&format!("{data_id}{WORD}{group}"));
            if !tenant.is_empty() {
                lines.push_str(&format!("{WORD}{tenant}"));
            }
            lines.push(LINE);
            old_lines.push_str(&format!("{data_id}:{group};"));
        }
        let encoded: String = byte_serialize(lines.as_bytes()).collect();
        // Nacos ends the line, and clients cut it off.
        let named = !self.in_headers && !lines.is_empty();
        let body = if named { format!("{encoded}\n") } else { String::new() };
        let mut response = reply::http(StatusCode::OK, Some(reply::JSON_UTF8), body);
        if self.in_headers && !lines.is_empty() {
            reply::add(&mut response, "probe-modify-response", &old_lines);
            reply::add(&mut response, "probe-modify-response-new", &encoded);
        }
        reply::add(&mut response, "cache-control", "no-cache,no-store");
        Rendered::Http(response)
    }
}

/// The lines of a poll: `dataId ^2 group ^2 md5 [^2 tenant] ^1`, again and again.
fn read(lines: &str) -> Result<Vec<Item>, Fault> {
    let malformed = || {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Fault::new(Shape::Framework, status, 500, "invalid probeModify")
    };
    let mut items = Vec::new();
    for line in lines.split(LINE).filter(|line| !line.trim().is_empty()) {
        if items.len() >= LISTENED_KEYS_MAX {
            let refusal = Refusal::TooManyListeners { limit: LISTENED_KEYS_MAX };
            return Err(refused_by_config_center(&refusal).at(Limit::Listeners));
        }
        let words: Vec<&str> = line.split(WORD).collect();
        let (data_id, group, md5, tenant) = match words[..] {
            [data_id, group, md5] => (data_id, group, md5, ""),
            [data_id, group, md5, tenant] => (data_id, group, md5, tenant.trim()),
            _ => return Err(malformed()),
        };
        if data_id.is_empty() || group.is_empty() {
            return Err(malformed());
        }
        check::data_id(data_id)?;
        check::group(group)?;
        check::namespace(tenant)?;
        let namespace = form::canonical(Some(tenant));
        let key = ConfigKey { namespace, group: group.into(), data_id: data_id.into() };
        items.push(Item { key, tenant: tenant.into(), md5: md5.into() });
    }
    if items.is_empty() { Err(malformed()) } else { Ok(items) }
}

/// The number of a poll among its connection's listeners; 0 is the gRPC one's.
pub(crate) fn listener_of(call: CallId) -> u64 {
    call.0 + 1
}

impl Operate for Poll {
    fn need(&self) -> Need {
        Need::Right {
            action: Action::Read,
            resources: self.items.iter().map(|item| resource(&item.key)).collect(),
            consistency: Consistency::Linearizable,
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        if self.hold.is_none() {
            return Next::Reply(self.answer(&self.differing(context)));
        }
        self.listening = true;
        let items = self.items.iter().map(|item| (item.key.clone(), item.md5.clone())).collect();
        let (listener, audience) = (listener_of(context.call), context.audience());
        Next::Ask(Ask::Config(Request::Listen { listener, items, audience }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match (event, self.hold) {
            (Event::Answer(Answer::Config(Reply::Listening(differ))), Some(hold))
                if differ.is_empty() =>
            {
                let hold = hold.min(context.facts.limits.poll_hold_max);
                Next::Hold(context.now.instant.after(hold))
            }
            (Event::Answer(Answer::Config(Reply::Listening(differ))), _) => {
                Next::Reply(self.answer(&differ))
            }
            (Event::Changed(key), _) => Next::Reply(self.answer(&[key])),
            (Event::Due, _) => Next::Reply(self.answer(&[])),
            (event, _) => failed(event),
        }
    }

    fn release(&self, call: CallId) -> Option<Ask> {
        let (listener, keys) = (listener_of(call), Vec::new());
        self.listening.then_some(Ask::Config(Request::Unlisten { listener, keys }))
    }
}
