//! Scripts and their transcripts. Verbs:
//!
//! `publish CONN KEY CONTENT [cas=CONTENT]`, `remove CONN KEY`, `gray CONN KEY RULE CONTENT [cas=CONTENT]`,
//! `ungray CONN KEY NAME` (a rule is `beta:ADDRESSES` or `tag:TAG`, a name `beta` or `tag:TAG`), `commit` (the log applies what was proposed),
//! `listen CONN.LISTENER [@ADDRESS] [#TAG] KEY=CONTENT…` (`-`: holds nothing), `unlisten CONN.LISTENER [KEY…]`, `close CONN`,
//! `watch CONN GROUP/DATAID`, `unwatch CONN GROUP/DATAID` (patterns), `at CONN ADDRESS`,
//! `history CONN KEY [before]`, `page CONN KEY OFFSET`, `listeners CONN KEY`, `disk ok|FAULT` (answers the loads), `restore` (all rows come
//! back as a snapshot), `snapshot KEY…` (a snapshot with the current rows of these keys only).
//!
//! An md5 is shown as `md5(CONTENT)`.

use crate::{
    Audience, Author, Command, Config, ConfigKey, Details, Entry, GrayName, GrayRule, Input,
    LoadedRows, Operation, Outcome, Output, Pattern, Reply, Request, Settings, md5_hex,
};
use base::{ConnectionId, Duration, HybridTime, LogIndex, NodeId, Now, RequestId, Revision, Row};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
};

pub(super) fn key(data_id: &str) -> ConfigKey {
    ConfigKey { namespace: "public".into(), group: "G".into(), data_id: data_id.into() }
}

pub(super) fn publish(data_id: &str, content: &str, cas: Option<&str>) -> Request {
    Request::Publish {
        key: key(data_id),
        content: content.into(),
        cas_md5: cas.map(Into::into),
        details: Details::default(),
        author: Author { user: "ann".into(), address: "10.0.0.1".into() },
    }
}

pub(super) fn publish_gray(
    data_id: &str,
    rule: GrayRule,
    content: &str,
    cas: Option<&str>,
) -> Request {
    Request::PublishGray {
        key: key(data_id),
        rule,
        content: content.into(),
        cas_md5: cas.map(Into::into),
        details: Box::default(),
        author: Author { user: "ann".into(), address: "10.0.0.1".into() },
    }
}

fn gray_rule(text: &str) -> GrayRule {
    match text.split_once(':').expect("beta:ADDRESSES or tag:TAG") {
        ("beta", addresses) => GrayRule::Beta(addresses.into()),
        (_, tag) => GrayRule::Tag(tag.into()),
    }
}

fn gray_name(text: &str) -> GrayName {
    text.strip_prefix("tag:").map_or(GrayName::Beta, |tag| GrayName::Tag(tag.into()))
}

/// Id, table, from, until, limit.
type Load = (u64, u8, Vec<u8>, Vec<u8>, usize);

struct Scene {
    config: Config,
    now: Now,
    index: LogIndex,
    request: u64,
    tables: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    proposed: VecDeque<(ConnectionId, Command)>,
    loads: VecDeque<Load>,
    contents: BTreeMap<String, String>,
    transcript: String,
}

fn connection(text: &str) -> ConnectionId {
    let counter = text.parse().expect("a number");
    ConnectionId { node: NodeId(1), boot: HybridTime(0), counter }
}

fn listener(text: &str) -> (ConnectionId, u64) {
    let (connection_text, number) = text.split_once('.').expect("CONN.LISTENER");
    (connection(connection_text), number.parse().expect("a number"))
}

fn pattern(names: &str) -> Pattern {
    let (group, data_id) = names.split_once('/').expect("GROUP/DATAID");
    Pattern { namespace: "public".into(), group: group.into(), data_id: data_id.into() }
}

pub(super) fn run(script: &str) -> String {
    run_with(script, Settings::default(), |_| {})
}

fn run_with(script: &str, settings: Settings, prepare: fn(&mut Config)) -> String {
    let mut config = Config::new(settings);
    prepare(&mut config);
    let mut scene = Scene {
        config,
        now: Now::START.after(Duration::from_secs(1000)),
        index: LogIndex(0),
        request: 0,
        tables: BTreeMap::new(),
        proposed: VecDeque::new(),
        loads: VecDeque::new(),
        contents: BTreeMap::from([(String::new(), "-".into())]),
        transcript: String::new(),
    };
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(scene.transcript, "> {line}").expect("a String");
        scene.now = scene.now.after(Duration::from_secs(1));
        scene.line(line);
        scene.drain();
    }
    scene.transcript
}

impl Scene {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["publish", from, data_id, content] => self.ask(from, publish(data_id, content, None)),
            ["publish", from, data_id, content, cas] => {
                let cas = self.md5(cas.strip_prefix("cas=").expect("cas="));
                self.ask(from, publish(data_id, content, Some(&cas)));
            }
            ["remove", from, data_id] => {
                self.ask(from, Request::Remove { key: key(data_id), author: Author::default() });
            }
            ["gray", from, data_id, rule, content] => {
                self.ask(from, publish_gray(data_id, gray_rule(rule), content, None));
            }
            ["gray", from, data_id, rule, content, cas] => {
                let cas = self.md5(cas.strip_prefix("cas=").expect("cas="));
                self.ask(from, publish_gray(data_id, gray_rule(rule), content, Some(&cas)));
            }
            ["ungray", from, data_id, name] => {
                let (key, name) = (key(data_id), gray_name(name));
                self.ask(from, Request::RemoveGray { key, name, author: Author::default() });
            }
            ["commit"] => self.commit(),
            ["listen", who, ref items @ ..] => {
                let item = |item: &&str| {
                    let (data_id, held) = item.split_once('=').expect("KEY=CONTENT");
                    (key(data_id), self.md5(held).into())
                };
                let (marks, items): (Vec<&str>, Vec<&str>) =
                    items.iter().partition(|word| word.starts_with(['@', '#']));
                let marked = |mark| marks.iter().filter_map(move |word| word.strip_prefix(mark));
                let request = Request::Listen {
                    listener: listener(who).1,
                    items: items.iter().map(item).collect(),
                    audience: Audience {
                        addresses: marked('@').map(Into::into).collect(),
                        tag: marked('#').next().map(Into::into),
                    },
                };
                self.ask(who.split('.').next().expect("CONN"), request);
            }
            ["unlisten", who, ref keys @ ..] => {
                let keys = keys.iter().map(|data_id| key(data_id)).collect();
                let request = Request::Unlisten { listener: listener(who).1, keys };
                self.ask(who.split('.').next().expect("CONN"), request);
            }
            ["close", who] => self.config.step(self.now, Input::Closed(connection(who))),
            ["history", from, data_id] => self.history(from, data_id, None),
            ["history", from, data_id, before] => {
                self.history(from, data_id, Some(Revision(before.parse().expect("a number"))));
            }
            ["page", from, data_id, offset] => {
                let (key, offset) = (key(data_id), offset.parse().expect("a number"));
                self.ask(from, Request::HistoryPage { key, offset, limit: 2 });
            }
            ["listeners", from, data_id] => {
                self.ask(from, Request::Listeners { key: key(data_id) });
            }
            ["watch", from, names] => {
                self.ask(from, Request::Watch { pattern: pattern(names) });
            }
            ["unwatch", from, names] => {
                self.ask(from, Request::Unwatch { pattern: pattern(names) });
            }
            ["at", from, address] => {
                self.ask(from, Request::ListenersAt { address: address.into() });
            }
            ["disk", how] => self.disk(how),
            ["restore"] => self.restore(|_| true),
            ["snapshot", ref keys @ ..] => {
                let keys: Vec<ConfigKey> = keys.iter().map(|data_id| key(data_id)).collect();
                self.restore(|entry| keys.contains(&entry.key));
            }
            _ => panic!("unknown command {line}"),
        }
    }

    fn md5(&mut self, content: &str) -> String {
        if content == "-" {
            return String::new();
        }
        let md5 = md5_hex(content);
        self.contents.insert(md5.clone(), format!("md5({content})"));
        md5
    }

    fn ask(&mut self, from: &str, request: Request) {
        self.request += 1;
        let (from, id) = (connection(from), RequestId(self.request));
        self.config.step(self.now, Input::Request { from, id, request });
    }

    fn history(&mut self, from: &str, data_id: &str, before: Option<Revision>) {
        self.ask(from, Request::History { key: key(data_id), before, limit: 2 });
    }

    fn commit(&mut self) {
        for (to, command) in std::mem::take(&mut self.proposed) {
            self.index = self.index.next();
            let applied = self.config.apply(self.index, &command);
            self.drain();
            let outcome = match applied.outcome {
                Outcome::CasConflict { current_md5 } => {
                    format!("CasConflict {}", self.contents[current_md5.as_ref()])
                }
                outcome @ (Outcome::Published(_)
                | Outcome::Removed { .. }
                | Outcome::QuotaExceeded { .. }
                | Outcome::Conflicts(_)
                | Outcome::TooManyVersions { .. }) => format!("{outcome:?}"),
            };
            let (puts, deletes): (Vec<Row>, Vec<Row>) =
                applied.rows.into_iter().partition(|row| row.value.is_some());
            writeln!(
                self.transcript,
                "{}: {outcome}, {} rows put, {} deleted",
                to.counter,
                puts.len(),
                deletes.len()
            )
            .expect("a String");
            for row in deletes {
                self.tables.remove(&(row.table, row.key)).expect("only what is there is deleted");
            }
            for row in puts {
                self.tables.insert((row.table, row.key), row.value.expect("a put"));
            }
        }
    }

    fn disk(&mut self, how: &str) {
        for (id, table, from, until, limit) in std::mem::take(&mut self.loads) {
            let range = (table, until)..=(table, from);
            let rows = self.tables.range(range).rev().take(limit);
            let mut rows: LoadedRows =
                Ok(rows.map(|((_, key), value)| (key.clone(), value.clone())).collect());
            match how {
                "ok" => {}
                "flip" => rows.as_mut().expect("just made")[0].1[0] ^= 0x40,
                fault => rows = Err(fault.into()),
            }
            self.config.step(self.now, Input::Loaded { id, rows });
        }
    }

    fn restore(&mut self, wanted: impl Fn(&Entry) -> bool) {
        self.config.step(self.now, Input::Reset);
        for ((table, key), value) in &self.tables {
            let kept = *table != 0
                || crate::rows::read_entry(key, value).is_ok_and(|entry| wanted(&entry));
            let row = Row { table: *table, key: key.clone(), value: Some(value.clone()) };
            self.config.step(self.now, Input::Restore(kept.then_some(row).into_iter().collect()));
        }
        self.drain();
        self.config.step(self.now, Input::Restored);
    }

    fn drain(&mut self) {
        while let Some(output) = self.config.poll() {
            let text = self.shown(output);
            if !text.is_empty() {
                writeln!(self.transcript, "{text}").expect("a String");
            }
        }
    }

    fn shown(&mut self, output: Output) -> String {
        match output {
            Output::Propose { to, command, .. } => {
                if let Command::Publish { content, .. } | Command::PublishGray { content, .. } =
                    &command
                {
                    self.md5(content);
                }
                self.proposed.push_back((to, command));
                format!("{}: proposed", to.counter)
            }
            Output::Publish(entry) => format!(
                "view {} = {} {} by {:?}",
                entry.key.data_id, entry.content, entry.revision, entry.author.user
            ),
            Output::PublishGrays(grays) => {
                let version = |gray: &std::sync::Arc<crate::Gray>| {
                    let (rule, entry) = (&gray.rule, &gray.entry);
                    format!(
                        "{}({}) = {} {}",
                        rule.name(),
                        rule.text(),
                        entry.content,
                        entry.revision
                    )
                };
                let versions: Vec<String> = grays.versions.values().map(version).collect();
                format!("grays of {}: {versions:?}", grays.key.data_id)
            }
            Output::Retire(key) => format!("view {} is gone", key.data_id),
            Output::Notify { to, listener, key, md5 } => {
                let md5 = &self.contents[md5.as_ref()];
                format!("{}.{listener}: {} is {md5} now", to.counter, key.data_id)
            }
            Output::Existence { to, key, exists } => {
                let word = if exists { "there" } else { "gone" };
                format!("{}: {} is {word} now", to.counter, key.data_id)
            }
            Output::Reply { to, reply, .. } => format!("{}: {}", to.counter, self.reply(reply)),
            Output::Load { id, table, from, until, limit } => {
                self.loads.push_back((id, table, from, until, limit));
                format!("load {limit}")
            }
            Output::Halt(why) => format!("HALT {why}"),
            Output::Event(..) => String::new(),
        }
    }

    fn reply(&self, reply: Reply) -> String {
        match reply {
            Reply::Listening(keys) => {
                let keys: Vec<&str> = keys.iter().map(|key| key.data_id.as_ref()).collect();
                format!("listening, differ: {keys:?}")
            }
            Reply::History(rows) => {
                let line = |row: &crate::HistoryRow| {
                    let operation = match row.operation {
                        Operation::Insert => "I",
                        Operation::Update => "U",
                        Operation::Delete => "D",
                    };
                    let entry = &row.entry;
                    let gray =
                        row.gray.as_ref().map_or(String::new(), |r| format!(" {}", r.name()));
                    format!("{operation} {} {}{gray}", row.revision, entry.content)
                };
                format!("history {:?}", rows.iter().map(line).collect::<Vec<_>>())
            }
            Reply::HistoryPage { count, rows } => {
                let revisions: Vec<String> = rows.iter().map(|r| r.revision.to_string()).collect();
                format!("page of {count}: {revisions:?}")
            }
            Reply::Listeners(listeners) => {
                let line = |who: &crate::KeyListener| {
                    let md5 = &self.contents[who.md5.as_ref()];
                    format!("{}{} holds {md5}", who.connection.counter, who.address)
                };
                format!("listeners {:?}", listeners.iter().map(line).collect::<Vec<_>>())
            }
            Reply::Watching => "watching".to_owned(),
            Reply::ListenersAt(held) => {
                let line = |(key, md5): &(ConfigKey, std::sync::Arc<str>)| {
                    format!("{} as {}", key.data_id, self.contents[md5.as_ref()])
                };
                format!("there {:?}", held.iter().map(line).collect::<Vec<_>>())
            }
            Reply::Refused(refusal) => format!("refused: {refusal}"),
            Reply::Outcome(outcome) => unreachable!("the node reports {outcome:?}"),
        }
    }
}

fn check(transcript: &str, expected: &str) {
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let transcript: Vec<&str> = transcript.lines().collect();
    assert_eq!(transcript, expected, "\n{}", transcript.join("\n"));
}

/// A script and its transcript in one: the lines with `>` are the commands.
fn conversation(expected: &str) {
    check(&run(&commands(expected)), expected);
}

fn commands(expected: &str) -> String {
    let lines = expected.lines().filter_map(|line| line.trim().strip_prefix("> "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_publish_is_seen_before_it_is_reported() {
    conversation(
        r#"
        > publish 1 a v1
        1: proposed
        > commit
        view a = v1 r1 by "ann"
        1: Published(Revision(1)), 2 rows put, 0 deleted
        > remove 1 a
        1: proposed
        > commit
        view a is gone
        1: Removed { existed: true }, 1 rows put, 1 deleted
        > remove 1 a
        1: proposed
        > commit
        1: Removed { existed: false }, 0 rows put, 0 deleted
        "#,
    );
}

#[test]
fn of_two_who_compare_and_set_the_same_md5_one_wins_and_an_absent_key_is_inserted() {
    conversation(
        r#"
        > publish 1 a v1 cas=whatever
        1: proposed
        > commit
        view a = v1 r1 by "ann"
        1: Published(Revision(1)), 2 rows put, 0 deleted
        > publish 1 a v2 cas=v1
        1: proposed
        > publish 2 a v3 cas=v1
        2: proposed
        > commit
        view a = v2 r2 by "ann"
        1: Published(Revision(2)), 2 rows put, 0 deleted
        2: CasConflict md5(v2), 0 rows put, 0 deleted
        > publish 2 a v3 cas=-
        2: proposed
        > commit
        2: CasConflict md5(v2), 0 rows put, 0 deleted
        "#,
    );
}

#[test]
fn listeners_are_told_once_per_change_and_not_of_the_same_content() {
    conversation(
        r#"
        > listen 1.0 a=- b=old
        1: listening, differ: ["b"]
        > publish 9 a v1
        9: proposed
        > commit
        view a = v1 r1 by "ann"
        1.0: a is md5(v1) now
        9: Published(Revision(1)), 2 rows put, 0 deleted
        > listen 2.7 a=v1
        2: listening, differ: []
        > publish 9 a v1
        9: proposed
        > commit
        view a = v1 r2 by "ann"
        9: Published(Revision(2)), 2 rows put, 0 deleted
        > publish 9 a v2
        9: proposed
        > commit
        view a = v2 r3 by "ann"
        1.0: a is md5(v2) now
        2.7: a is md5(v2) now
        9: Published(Revision(3)), 2 rows put, 0 deleted
        > listeners 9 a
        9: listeners ["1 holds md5(v2)", "2 holds md5(v2)"]
        > close 1
        > remove 9 a
        9: proposed
        > commit
        view a is gone
        2.7: a is - now
        9: Removed { existed: true }, 1 rows put, 1 deleted
        > unlisten 2.7 a
        2: listening, differ: []
        > listeners 9 a
        9: listeners []
        "#,
    );
}

#[test]
fn a_change_between_the_reply_and_the_next_question_is_not_missed() {
    // The listener is told that `a` differs; before it asks anew, `a` goes back to what the listener held at first.
    conversation(
        r#"
        > publish 9 a v2
        9: proposed
        > commit
        view a = v2 r1 by "ann"
        9: Published(Revision(1)), 2 rows put, 0 deleted
        > listen 1.0 a=v1
        1: listening, differ: ["a"]
        > publish 9 a v1
        9: proposed
        > commit
        view a = v1 r2 by "ann"
        1.0: a is md5(v1) now
        9: Published(Revision(2)), 2 rows put, 0 deleted
        "#,
    );
}

#[test]
fn history_is_read_newest_first_page_by_page_and_survives_the_removal() {
    conversation(
        r#"
        > history 1 a
        1: history []
        > publish 1 a v1
        1: proposed
        > publish 1 b other
        1: proposed
        > publish 1 a v2
        1: proposed
        > remove 1 a
        1: proposed
        > commit
        view a = v1 r1 by "ann"
        1: Published(Revision(1)), 2 rows put, 0 deleted
        view b = other r2 by "ann"
        1: Published(Revision(2)), 2 rows put, 0 deleted
        view a = v2 r3 by "ann"
        1: Published(Revision(3)), 2 rows put, 0 deleted
        view a is gone
        1: Removed { existed: true }, 1 rows put, 1 deleted
        > history 1 a
        load 2
        > disk ok
        1: history ["D r4 v2", "U r3 v2"]
        > history 1 a 3
        load 1
        > disk ok
        1: history ["I r1 v1"]
        > page 1 a 1
        load 2
        > disk ok
        1: page of 3: ["r3", "r1"]
        > page 1 a 9
        1: page of 3: []
        > history 1 a
        load 2
        > disk flip
        1: refused: history is unreadable: config table 1, row public\x00\x01G\x00\x01a\x00\x01\x00\x00\x00\x00\x00\x00\x00\x04: its format is version 66, this program reads 2; restore this node from its peers or a backup
        > history 1 a
        load 2
        > disk device-gone
        1: refused: history is unreadable: device-gone
        "#,
    );
}

#[test]
fn a_snapshot_retires_what_it_does_not_have_only_when_it_is_complete() {
    conversation(
        r#"
        > publish 1 a v1
        1: proposed
        > publish 1 b v1
        1: proposed
        > listen 2.0 a=- b=-
        2: listening, differ: []
        > commit
        view a = v1 r1 by "ann"
        2.0: a is md5(v1) now
        1: Published(Revision(1)), 2 rows put, 0 deleted
        view b = v1 r2 by "ann"
        2.0: b is md5(v1) now
        1: Published(Revision(2)), 2 rows put, 0 deleted
        > restore
        view a = v1 r1 by "ann"
        view b = v1 r2 by "ann"
        > snapshot b
        view b = v1 r2 by "ann"
        view a is gone
        2.0: a is - now
        "#,
    );
}

#[test]
fn a_gray_version_is_seen_by_those_it_is_for_and_the_formal_one_stays_unpublished() {
    conversation(
        r#"
        > listen 1.0 @10.0.0.7 a=-
        1: listening, differ: []
        > listen 2.0 @10.0.0.8 #blue a=-
        2: listening, differ: []
        > listen 3.0 @10.0.0.9 a=-
        3: listening, differ: []
        > gray 9 a beta:10.0.0.6,10.0.0.7 b1
        9: proposed
        > commit
        grays of a: ["beta(10.0.0.6,10.0.0.7) = b1 r1"]
        1.0: a is md5(b1) now
        9: Published(Revision(1)), 2 rows put, 0 deleted
        > gray 9 a tag:blue t1
        9: proposed
        > publish 9 a v1
        9: proposed
        > commit
        grays of a: ["beta(10.0.0.6,10.0.0.7) = b1 r1", "tag_blue(blue) = t1 r2"]
        2.0: a is md5(t1) now
        9: Published(Revision(2)), 2 rows put, 0 deleted
        view a = v1 r3 by "ann"
        3.0: a is md5(v1) now
        9: Published(Revision(3)), 2 rows put, 0 deleted
        > listen 4.0 @10.0.0.7 #blue a=t1
        4: listening, differ: ["a"]
        > remove 9 a
        9: proposed
        > ungray 9 a beta
        9: proposed
        > ungray 9 a beta
        9: proposed
        > ungray 9 a tag:blue
        9: proposed
        > commit
        view a is gone
        3.0: a is - now
        9: Removed { existed: true }, 1 rows put, 1 deleted
        grays of a: ["tag_blue(blue) = t1 r2"]
        1.0: a is - now
        4.0: a is md5(t1) now
        9: Removed { existed: true }, 1 rows put, 1 deleted
        9: Removed { existed: false }, 0 rows put, 0 deleted
        grays of a: []
        2.0: a is - now
        4.0: a is - now
        9: Removed { existed: true }, 1 rows put, 1 deleted
        > history 9 a
        load 2
        > disk ok
        9: history ["D r7 t1 tag_blue", "D r5 b1 beta"]
        "#,
    );
}

#[test]
fn a_gray_version_moves_to_other_clients_and_compares_with_itself() {
    conversation(
        r#"
        > publish 9 a v1
        9: proposed
        > gray 9 a beta:1.1.1.1 b1 cas=whatever
        9: proposed
        > commit
        view a = v1 r1 by "ann"
        9: Published(Revision(1)), 2 rows put, 0 deleted
        grays of a: ["beta(1.1.1.1) = b1 r2"]
        9: Published(Revision(2)), 2 rows put, 0 deleted
        > listen 1.0 @1.1.1.1 a=b1
        1: listening, differ: []
        > listen 2.0 @2.2.2.2 a=v1
        2: listening, differ: []
        > gray 9 a beta:2.2.2.2 b2 cas=v1
        9: proposed
        > gray 9 a beta:2.2.2.2 b2 cas=b1
        9: proposed
        > commit
        9: CasConflict md5(b1), 0 rows put, 0 deleted
        grays of a: ["beta(2.2.2.2) = b2 r4"]
        1.0: a is md5(v1) now
        2.0: a is md5(b2) now
        9: Published(Revision(4)), 2 rows put, 0 deleted
        "#,
    );
}

#[test]
fn a_snapshot_never_shows_the_formal_version_to_a_client_of_a_gray_one() {
    conversation(
        r#"
        > publish 9 a v1
        9: proposed
        > gray 9 a beta:1.1.1.1 b1
        9: proposed
        > commit
        view a = v1 r1 by "ann"
        9: Published(Revision(1)), 2 rows put, 0 deleted
        grays of a: ["beta(1.1.1.1) = b1 r2"]
        9: Published(Revision(2)), 2 rows put, 0 deleted
        > listen 1.0 @1.1.1.1 a=b1
        1: listening, differ: []
        > restore
        view a = v1 r1 by "ann"
        > snapshot
        view a is gone
        "#,
    );
}

#[test]
fn of_gray_versions_there_are_ten_per_config() {
    let mut script: Vec<String> = (0..10).map(|n| format!("gray 9 a tag:t{n} x")).collect();
    script.extend(["gray 9 a beta:1.1.1.1 x".into(), "gray 9 a tag:t0 y".into(), "commit".into()]);
    let transcript = run(&script.join("\n"));
    assert_eq!(transcript.matches("TooManyVersions { limit: 10 }, 0 rows put").count(), 1);
    assert_eq!(transcript.matches("Published(Revision(").count(), 11);
    assert!(transcript.contains("Published(Revision(12))"), "one that is there is replaced");
}

#[test]
fn what_is_malformed_is_refused_and_proposes_nothing() {
    let settings = Settings { listeners_max: 2, ..Settings::default() };
    let transcript =
        run_with("listen 1.0 a=- b=-\nlisten 1.1 a=-\nlisten 1.0 a=x", settings, |_| {});
    check(
        &transcript,
        r#"
        > listen 1.0 a=- b=-
        1: listening, differ: []
        > listen 1.1 a=-
        1: refused: this connection listens to 2 keys already: use a second connection
        > listen 1.0 a=x
        1: listening, differ: ["a"]
        "#,
    );
    let long = "x".repeat(257);
    let mut config = Config::new(Settings::default());
    for (request, why) in [
        (publish("a", " \n", None), "content is blank"),
        (publish(&long, "v", None), "invalid dataId: more than 256 characters"),
        (
            Request::Remove { key: key(&long), author: Author::default() },
            "invalid dataId: more than 256 characters",
        ),
        (
            publish_gray("a", GrayRule::Tag("x".repeat(17).into()), "v", None),
            "invalid tag: more than 16 characters",
        ),
        (
            publish_gray("a", GrayRule::Tag("a b".into()), "v", None),
            "invalid tag: only letters, digits and _-.: are taken",
        ),
        (publish_gray("a", GrayRule::Beta(" ".into()), "v", None), "invalid betaIps: blank"),
        (publish_gray("a", GrayRule::Beta("1.2.3.4".into()), "", None), "content is blank"),
        (
            Request::RemoveGray {
                key: key("a"),
                name: GrayName::Tag("".into()),
                author: Author::default(),
            },
            "invalid tag: only letters, digits and _-.: are taken",
        ),
    ] {
        config
            .step(Now::START, Input::Request { from: connection("1"), id: RequestId(1), request });
        let Some(Output::Reply { reply: Reply::Refused(refusal), .. }) = config.poll() else {
            panic!("not refused: {why}");
        };
        assert_eq!(refusal.to_string(), why);
        assert_eq!(config.poll(), None);
    }
}

#[test]
fn the_quota_refuses_growth_and_never_a_smaller_content() {
    let script =
        "publish 1 a small\npublish 1 a much-longer\npublish 1 b x\npublish 1 a tiny\ncommit";
    // One entry weighs 512 bytes and its texts: `small` and the content type `text`.
    let transcript =
        run_with(script, Settings::default(), |config| config.contents_bytes_max = 520);
    let outcomes: Vec<&str> = transcript.lines().filter(|line| line.contains("rows put")).collect();
    assert_eq!(
        outcomes,
        [
            "1: Published(Revision(1)), 2 rows put, 0 deleted",
            "1: QuotaExceeded { bytes_max: 520 }, 0 rows put, 0 deleted",
            "1: QuotaExceeded { bytes_max: 520 }, 0 rows put, 0 deleted",
            "1: Published(Revision(4)), 2 rows put, 0 deleted",
        ]
    );
}

#[test]
fn a_row_that_does_not_read_halts_the_node() {
    let rows = [
        Row { table: 0, key: b"k".to_vec(), value: Some(Vec::new()) },
        Row { table: 0, key: b"k".to_vec(), value: Some(vec![2, 0xff]) },
        Row { table: 1, key: b"k".to_vec(), value: Some(vec![9]) },
        Row { table: 2, key: b"k".to_vec(), value: Some(vec![2]) },
        Row { table: 3, key: b"k".to_vec(), value: Some(vec![2]) },
        Row { table: 0, key: b"k".to_vec(), value: None },
    ];
    for row in rows {
        let mut config = Config::new(Settings::default());
        config.step(Now::START, Input::Restore(vec![row]));
        let Some(Output::Halt(why)) = config.poll() else { panic!("no halt") };
        assert!(why.starts_with("config"), "{why}");
    }
}

#[test]
fn md5_is_the_one_that_clients_compute() {
    assert_eq!(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(md5_hex("中文"), "a7bac2239fcdcb3a067903d8077c4a07");
}
