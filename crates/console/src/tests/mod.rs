//! Conversations: each script under `scripts/` is commands (`> …`) and exactly what follows them.

mod fake;
mod story;

use crate::{
    Answer, CallId, Door, Facts, Input, Login, NodeState, Output, Session, Status, Unavailable,
};
use access::View;
use base::{
    ConnectionId, Consistency, Duration, Freshness, HybridTime, LogIndex, NodeId, Now, RequestId,
    Revision, Term,
};
use bytes::Bytes;
use fake::{Fake, key};
use std::{fmt::Write, fs, path::PathBuf};

const CONNECTION: ConnectionId =
    ConnectionId { node: NodeId(1), boot: HybridTime(0xb007), counter: 7 };

struct Conversation {
    session: Session,
    views: Fake,
    now: Now,
    transcript: String,
}

impl Conversation {
    fn new(login: Login) -> Self {
        let facts = Facts { connection: CONNECTION, remote: ([10, 0, 0, 9], 4711).into(), login };
        let now = Now { unix_ms: 1_795_232_695_824, ..Now::START };
        Self { session: Session::new(facts), views: Fake::new(), now, transcript: String::new() }
    }

    fn step(&mut self, input: Input) {
        self.session.step(self.now, &self.views, input);
        while let Some(output) = self.session.poll() {
            let text = show(&output);
            writeln!(self.transcript, "{text}").expect("a string takes all");
        }
    }

    fn command(&mut self, line: &str) {
        writeln!(self.transcript, "> {line}").expect("a string takes all");
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        match &words[..] {
            ["login", "open"] => {
                let views = std::mem::replace(&mut self.views, Fake::new());
                *self = Self {
                    transcript: std::mem::take(&mut self.transcript),
                    views,
                    ..Self::new(Login::Open)
                };
            }
            ["state", word] => self.views.state = state(word),
            ["three", "nodes"] => self.views.cluster = Some(fake::three_nodes().into()),
            ["behind"] => self.views.complete = false,
            ["needs", "waiting"] => self.views.needs_waiting = true,
            ["after", seconds] => {
                let seconds = seconds.parse().expect("seconds");
                self.now = self.now.after(Duration::from_secs(seconds));
            }
            ["wake"] => self.step(Input::Wake),
            ["drain"] => self.step(Input::Drain),
            ["sent", call] => self.step(Input::Sent(call_id(call))),
            ["drop", call] => self.step(Input::Dropped(call_id(call))),
            ["remember"] => self.views.remembers = true,
            ["take", "rights", "of", user] => self.views.take_rights(user),
            ["namespace", id] => {
                self.views.put_namespace(id);
                self.step(Input::AccessChanged);
            }
            ["access", "changed"] => self.step(Input::AccessChanged),
            ["service", version, rest @ ..] => {
                let view = self.views.put_service(version.parse().expect("a version"), rest);
                self.step(Input::Push { clusters: [].into(), view });
            }
            ["config", listener, revision, ..] => {
                let content = words[3..].join(" ");
                let listener = listener.parse().expect("a listener");
                let md5 = self.views.put_config(revision.parse().expect("a revision"), &content);
                self.step(Input::Notify { listener, key: key(), md5 });
            }
            ["lock"] => self.views.put_lock(),
            ["unlock"] => self.views.lock = None,
            ["unconfig", listener] => {
                self.views.config = None;
                let listener = listener.parse().expect("a listener");
                self.step(Input::Notify { listener, key: key(), md5: "".into() });
            }
            ["answer", id, ..] => {
                let id = RequestId(id.trim_start_matches('q').parse().expect("an id"));
                let answer = self.answer(words[2..].join(" ").as_str());
                self.step(Input::Answer { id, answer });
            }
            [call, user, method, path] => self.request(call, user, method, path, ""),
            [call, user, method, path, body] => self.request(call, user, method, path, body),
            _ => panic!("unknown command {line}"),
        }
    }

    fn request(&mut self, call: &str, user: &str, method: &str, path: &str, body: &str) {
        let (seen, body) = match body.strip_prefix("seen=") {
            Some(rest) => {
                let (index, body) = rest.split_once(' ').unwrap_or((rest, ""));
                (Some(index.to_owned()), body)
            }
            None => (None, body),
        };
        let (if_match, body) = match body.strip_prefix("if-match=") {
            Some(rest) => {
                let (tag, body) = rest.split_once(' ').expect("a tag and a body");
                (Some(tag.to_owned()), body)
            }
            None => (None, body),
        };
        let mut request = http::Request::builder().method(method).uri(path);
        match user {
            "-" => {}
            "stranger" => request = request.header("authorization", "Bearer a.b.c"),
            "basic" => request = request.header("authorization", "Basic bmFjb3M6bmFjb3M="),
            user => {
                let view: &View = &self.views.access;
                let token = view.issue(user, self.now.unix_ms, access::TOKEN_TTL).expect("a key");
                request = request.header("authorization", format!("Bearer {token}"));
            }
        }
        if let Some(index) = seen {
            request = request.header("x-trine-index", index);
        }
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        let request = request.body(Bytes::copy_from_slice(body.as_bytes())).expect("well-formed");
        self.step(Input::Http { call: call_id(call), request });
    }

    fn answer(&self, text: &str) -> Answer {
        let fresh = |level, staleness| {
            Answer::Fresh(Freshness {
                level,
                staleness: Some(Duration::from_millis(staleness)),
                applied: LogIndex(9),
                served_by: NodeId(1),
            })
        };
        match text {
            "fresh" => fresh(Consistency::Linearizable, 0),
            "stale 1500" => fresh(Consistency::Stale, 1_500),
            "done" => Answer::Naming(naming::Reply::Done),
            "beat" => Answer::Naming(naming::Reply::Beat {
                known: true,
                interval: Duration::from_secs(5),
            }),
            "not empty" => Answer::Naming(naming::Reply::Refused(
                naming::Refusal::ServiceNotEmpty("g@@web".to_owned()),
            )),
            "verified" => Answer::Naming(naming::Reply::Verified(fake::verified().into())),
            "repaired" => Answer::Naming(naming::Reply::Done),
            "no link" => Answer::Naming(naming::Reply::Refused(naming::Refusal::NoLink(NodeId(3)))),
            "busy" => {
                let (what, limit) = ("comparisons", naming::VERIFIES_MAX);
                Answer::Naming(naming::Reply::Refused(naming::Refusal::Busy { what, limit }))
            }
            "granted" => {
                lock_answer(lock::Outcome::Granted { token: lock::Token(41), ttl_ms: 5_000 })
            }
            "held" => {
                lock_answer(lock::Outcome::Held { owner: "alice".into(), token: lock::Token(41) })
            }
            "timed out" => lock_answer(lock::Outcome::TimedOut),
            "renewed" => {
                lock_answer(lock::Outcome::Renewed { token: lock::Token(41), ttl_ms: 5_000 })
            }
            "released" => lock_answer(lock::Outcome::Released),
            "not held" => lock_answer(lock::Outcome::NotHeld { current: Some(lock::Token(42)) }),
            "free" => lock_answer(lock::Outcome::NotHeld { current: None }),
            "full" => lock_answer(lock::Outcome::Full { what: "locks", limit: 100_000 }),
            "lock unknown" => Answer::Lock(lock::Reply::Unknown),
            "bad ttl" => Answer::Lock(lock::Reply::Refused(lock::Refusal::Empty { what: "owner" })),
            "listening" => Answer::Config(config::Reply::Listening(Vec::new())),
            "published" => {
                Answer::Config(config::Reply::Outcome(config::Outcome::Published(Revision(12))))
            }
            "conflict" => Answer::Config(config::Reply::Outcome(config::Outcome::CasConflict {
                current_md5: "0cc175b9c0f1b6a831c399e269772661".into(),
            })),
            "conflicts" => {
                let current_md5 = "0cc175b9c0f1b6a831c399e269772661".into();
                let conflicts = vec![config::Conflict { at: 1, current_md5 }];
                Answer::Config(config::Reply::Outcome(config::Outcome::Conflicts(conflicts)))
            }
            "twice" => {
                Answer::Config(config::Reply::Refused(config::Refusal::ChangedTwice { key: key() }))
            }
            "gone" => {
                Answer::Config(config::Reply::Outcome(config::Outcome::Removed { existed: false }))
            }
            "rows" => Answer::Config(config::Reply::History(fake::rows())),
            "proceed" => Answer::Access(access::Reply::Proceed),
            "wait" => Answer::Access(access::Reply::TooManyFailures {
                retry_after: Duration::from_secs(7),
            }),
            "right" => Answer::Verified(true),
            "wrong" => Answer::Verified(false),
            "noted" => Answer::Access(access::Reply::Noted),
            "changed" => Answer::Access(access::Reply::Outcome(access::Outcome::Changed)),
            "events" => {
                Answer::Explained { events: fake::events(), dropped: 0, silent: vec![NodeId(3)] }
            }
            "spread" => {
                let crowds = [(1, 30), (2, 0), (4, 3)].map(|(node, streams)| cluster::Crowd {
                    node: NodeId(node),
                    connections: streams + 2,
                    streams,
                    serves: node != 4,
                    busy: None,
                });
                Answer::Crowds { crowds: crowds.into(), silent: vec![NodeId(3)] }
            }
            "shifted" => Answer::Shifted { clients: 15, silent: Vec::new() },
            "shifted but n1" => Answer::Shifted { clients: 0, silent: vec![NodeId(1)] },
            "status" => Answer::Status(Box::new(status())),
            "unknown client" => {
                Answer::Naming(naming::Reply::Refused(naming::Refusal::UnknownClient))
            }
            "token" => {
                let key = cluster::Secret::new(&[7; 32]).expect("long enough");
                let token = cluster::JoinToken { id: cluster::TokenId(5), key };
                Answer::Cluster(cluster::Reply::Outcome(cluster::Outcome::Token(token)))
            }
            "too many tokens" => {
                Answer::Cluster(cluster::Reply::Outcome(cluster::Outcome::TooManyTokens))
            }
            "removed" => Answer::Cluster(cluster::Reply::Outcome(cluster::Outcome::Done)),
            "leads" => Answer::Cluster(cluster::Reply::Leads(NodeId(2))),
            "not formed" => refused(cluster::Why::NotFormed),
            "unknown node" => refused(cluster::Why::UnknownNode(NodeId(9))),
            "last voter" => refused(cluster::Why::LastVoter),
            "no majority" => refused(cluster::Why::NoMajority),
            "cannot lead" => refused(cluster::Why::CannotLead(NodeId(3))),
            "leader silent" => refused(cluster::Why::TimedOut),
            "ttl" => refused(cluster::Why::TtlTooLong),
            "no leader" => Answer::Unavailable(Unavailable::NoLeader),
            "unknown" => Answer::Unavailable(Unavailable::OutcomeUnknown),
            other => panic!("unknown answer {other}"),
        }
    }
}

fn lock_answer(outcome: lock::Outcome) -> Answer {
    Answer::Lock(lock::Reply::Outcome(outcome))
}

fn refused(why: cluster::Why) -> Answer {
    Answer::Cluster(cluster::Reply::Refused(why))
}

fn status() -> Status {
    Status {
        node: NodeId(1),
        state: NodeState::Ready,
        term: Term(3),
        leader: Some(NodeId(1)),
        commit: LogIndex(9),
        applied: LogIndex(9),
        voters: vec![NodeId(1)],
        lags: vec![(NodeId(2), Duration::from_millis(1_250))],
        behind: vec![(NodeId(1), 0), (NodeId(2), 7)],
        uptime: Duration::from_secs(61),
        counts: naming::Counts { services: 2, instances: 5, ..naming::Counts::default() },
        configs: 4,
        connections: 3,
        doors: vec![Door { name: "api", address: ([127, 0, 0, 1], 8848).into() }],
        disk_kept: true,
        disk_low: false,
        auth: true,
        version: "0.1.0",
    }
}

fn call_id(text: &str) -> CallId {
    CallId(text.parse().expect("the number of a call"))
}

fn state(word: &str) -> NodeState {
    match word {
        "starting" => NodeState::Starting,
        "ready" => NodeState::Ready,
        "draining" => NodeState::Draining,
        other => panic!("unknown state {other}"),
    }
}

fn show(output: &Output) -> String {
    match output {
        Output::Http { call, response } => {
            let body = String::from_utf8_lossy(response.body());
            // A token is different text for each key; what matters is that it is one.
            let body = match body.split_once("\"token\":\"") {
                Some((head, rest)) => {
                    let tail = rest.split_once('"').expect("a text ends").1;
                    format!("{head}\"token\":\"…\"{tail}")
                }
                None => body.into_owned(),
            };
            format!("{} {}\n    {body}", call.0, head(response))
        }
        Output::StreamStart { call, head: response } => {
            format!("{} {}", call.0, head(response))
        }
        Output::StreamChunk { call, chunk } => {
            let text = String::from_utf8_lossy(chunk);
            format!("{} chunk\n    {}", call.0, text.trim_end().replace('\n', "\n    "))
        }
        Output::StreamEnd(call) => format!("{} end", call.0),
        Output::Ask { id, ask } => format!("{id} {ask:?}"),
        Output::WatchAccess(wanted) => format!("watch access: {wanted}"),
        Output::Open => "open".to_owned(),
    }
}

fn head<T>(response: &http::Response<T>) -> String {
    let value = |name: &str| response.headers().get(name).map(|value| value.to_str());
    let mut text = format!("{}", response.status().as_u16());
    for name in crate::shape::FRESHNESS_HEADERS {
        let value = value(name).expect("every answer has the four").expect("plain text");
        write!(text, " {value}").expect("a string takes all");
    }
    for name in ["etag", "allow", "www-authenticate"] {
        if let Some(value) = value(name) {
            write!(text, " {name}={}", value.expect("plain text")).expect("a string takes all");
        }
    }
    text
}

fn scripts() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests/scripts");
    let entries = fs::read_dir(folder).expect("the scripts are there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

/// Runs the commands of a script. Lines before the first command say what it shows.
fn run(script: &str) -> String {
    let mut conversation = Conversation::new(Login::Required);
    let prose: Vec<&str> = script.lines().take_while(|line| !line.starts_with("> ")).collect();
    conversation.transcript = prose.join("\n") + "\n";
    for line in script.lines().filter_map(|line| line.strip_prefix("> ")) {
        conversation.command(line);
    }
    conversation.transcript
}

/// With `UPDATE_GOLDENFILES` in the environment the scripts are rewritten instead: read the difference before you
/// commit it.
#[test]
fn conversations_go_as_written() {
    let paths = scripts();
    assert!(!paths.is_empty());
    let update = std::env::var_os("UPDATE_GOLDENFILES").is_some();
    for path in paths {
        let script = fs::read_to_string(&path).expect("readable");
        let transcript = run(&script);
        if update {
            fs::write(&path, transcript).expect("writable");
            continue;
        }
        assert!(transcript == script, "{} went:\n{transcript}", path.display());
    }
}

#[test]
fn no_query_makes_a_session_panic() {
    use proptest::prelude::*;
    proptest!(ProptestConfig::with_cases(500), |(
        path in "/(v1|livez|readyz)(/(login|status|services|configs|namespaces|cluster|members|leader|[%a-z@:.]{0,6})){0,5}",
        query in "[a-z%=&0-9()]{0,20}",
        body in any::<Vec<u8>>(),
        method in prop_oneof!["GET", "PUT", "POST", "DELETE", "PATCH"],
    )| {
        let mut conversation = Conversation::new(Login::Open);
        let uri = format!("{path}?{query}");
        let request = http::Request::builder().method(&*method).uri(uri).body(body.into());
        let Ok(request) = request else { return Ok(()) };
        conversation.step(Input::Http { call: CallId(1), request });
        // It is answered, or it asks something first.
        prop_assert_eq!(conversation.transcript.lines().count().min(1), 1);
    });
}

#[test]
fn a_full_connection_refuses_and_recovers() {
    let mut conversation = Conversation::new(Login::Open);
    for call in 1..=crate::CALLS_MAX {
        conversation.command(&format!("{call} - GET /v1/status"));
    }
    conversation.transcript.clear();
    conversation.command("999 - GET /v1/status");
    assert!(conversation.transcript.contains("\"code\":\"overloaded\""));
    conversation.command("answer q1 status");
    conversation.transcript.clear();
    conversation.command("1000 - GET /v1/status");
    assert!(conversation.transcript.ends_with("Status\n"), "{}", conversation.transcript);
}

#[test]
fn a_connection_has_a_limit_of_streams() {
    let mut conversation = Conversation::new(Login::Open);
    for number in 1..=crate::STREAMS_MAX + 1 {
        conversation.transcript.clear();
        conversation.command(&format!("{number} - GET /v1/configs/app?watch=true"));
        conversation.command(&format!("answer q{number} listening"));
    }
    let refused = &conversation.transcript;
    assert!(refused.contains("\"code\":\"limit\""), "{refused}");
    assert!(refused.contains(&format!("Unlisten {{ listener: {}", crate::STREAMS_MAX + 1)));
    conversation.command("drop 1");
    conversation.transcript.clear();
    conversation.command("999 - GET /v1/configs/app?watch=true");
    let id = crate::STREAMS_MAX + 4;
    conversation.command(&format!("answer q{id} listening"));
    assert!(conversation.transcript.contains("999 chunk"), "{}", conversation.transcript);
}
