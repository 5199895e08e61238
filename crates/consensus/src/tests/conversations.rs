//! One node, word by word: what it says when, and what waits for its disk.

use super::*;
use crate::wire::{Blob, Content, HardState, LogEntry, SnapshotMeta, decode};
use std::{collections::BTreeMap, fmt::Write as _};
use world::Disk;

/// A message of a kind with nothing in it.
pub fn blank(kind: MessageKind, term: u64) -> Message {
    Message {
        kind,
        term,
        log_term: 0,
        index: 0,
        commit: 0,
        commit_term: 0,
        reject: false,
        reject_hint: 0,
        context: Blob::default(),
        entries: Vec::new(),
        snapshot: None,
    }
}

struct Talk {
    node: Consensus,
    settings: Settings,
    disk: Disk,
    writes: Vec<(WriteId, Write)>,
    transcript: String,
    now: Now,
}

/// `kind from 2 term 5 prev 1/1 entries 2:x,3:y commit 2 last 1/1 index 4 reject hint 3`
fn parse(words: &[&str]) -> (NodeId, Message) {
    let mut fields = BTreeMap::new();
    let mut rest = words[1..].iter();
    while let Some(name) = rest.next() {
        let value = if *name == "reject" { "1" } else { rest.next().unwrap() };
        fields.insert(*name, value);
    }
    let number = |name| fields.get(name).map_or(0, |v: &&str| v.parse().unwrap());
    let pair = |name| {
        let (a, b) = fields.get(name).map_or(("0", "0"), |v: &&str| v.split_once('/').unwrap());
        (a.parse::<u64>().unwrap(), b.parse::<u64>().unwrap())
    };
    let term = number("term");
    let kind = match words[0] {
        "append" => MessageKind::Append,
        "append-reply" => MessageKind::AppendReply,
        "vote" => MessageKind::Vote,
        "vote-reply" => MessageKind::VoteReply,
        "prevote" => MessageKind::PreVote,
        "prevote-reply" => MessageKind::PreVoteReply,
        "snapshot" => MessageKind::Snapshot,
        "heartbeat" => MessageKind::Heartbeat,
        "timeout-now" => MessageKind::TimeoutNow,
        other => panic!("unknown command {other}"),
    };
    let mut message = blank(kind, term);
    (message.index, message.log_term) =
        pair(if kind == MessageKind::Vote { "last" } else { "prev" });
    message.commit = number("commit");
    message.reject = fields.contains_key("reject");
    message.reject_hint = number("hint");
    if fields.contains_key("index") {
        message.index = number("index");
    }
    for text in fields.get("entries").into_iter().flat_map(|text| text.split(',')) {
        let (index, data) = text.split_once(':').unwrap();
        let content = Content::Data(Blob(data.to_owned().into()));
        message.entries.push(LogEntry { term, index: index.parse().unwrap(), content });
    }
    if kind == MessageKind::Snapshot {
        let (index, term) = pair("at");
        let members =
            Members { voters: vec![NodeId(1), NodeId(2), NodeId(3)], ..Members::default() };
        message.snapshot = Some(SnapshotMeta { index, term, members });
    }
    (NodeId(number("from")), message)
}

impl Talk {
    fn with(voters: &[u64]) -> Self {
        let voters = voters.iter().copied().map(NodeId).collect();
        let settings = Settings::new(NodeId(1), voters, 1);
        let node = Consensus::recover(settings.clone(), Now::START, Recovered::default()).unwrap();
        Self {
            node,
            settings,
            disk: Disk::default(),
            writes: Vec::new(),
            transcript: String::new(),
            now: Now::START,
        }
    }

    fn line(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["start"] => {}
            ["propose", id, data] => {
                let id = ProposalId(id.parse().unwrap());
                self.node.step(self.now, Input::Propose { id, data: data.into() });
            }
            ["read", id] => {
                let id = RequestId(id.parse().unwrap());
                self.node.step(self.now, Input::ReadIndex { id });
            }
            ["fsync"] => {
                let mut staged = None;
                for (id, write) in std::mem::take(&mut self.writes) {
                    if let Some((index, _)) = write.install {
                        staged = Some((index.0, Vec::new()));
                    }
                    self.disk.write(&write, &mut staged);
                    self.node.step(self.now, Input::Persisted(id));
                }
            }
            ["wait", ms] => {
                let until = self.now.instant.after(Duration::from_millis(ms.parse().unwrap()));
                while let Some(at) = self.node.deadline().filter(|at| *at <= until) {
                    self.now = self.now.after(at.since(self.now.instant));
                    self.node.step(self.now, Input::Wake);
                }
                self.now = self.now.after(until.since(self.now.instant));
            }
            ["crash"] => {
                self.writes.clear();
                let recovered = self.disk.recovered.clone();
                self.node = Consensus::recover(self.settings.clone(), self.now, recovered).unwrap();
            }
            _ => {
                let (from, message) = parse(&words);
                self.node.step(self.now, Input::Message { from, message });
            }
        }
        writeln!(self.transcript, "> {line}").unwrap();
        while let Some(output) = self.node.poll() {
            if let Some(text) = self.say(output) {
                writeln!(self.transcript, "{text}").unwrap();
            }
        }
    }

    fn say(&mut self, output: Output) -> Option<String> {
        Some(match output {
            Output::Persist { id, write } => {
                let mut text = format!("persist {}", id.0);
                if let Some((index, _)) = &write.install {
                    write!(text, " install={index}").unwrap();
                }
                if let Some(from) = write.truncate_from {
                    write!(text, " truncate={from}").unwrap();
                }
                let entries: Vec<_> =
                    write.entries.iter().map(|(at, _)| at.0.to_string()).collect();
                if !entries.is_empty() {
                    write!(text, " entries={}", entries.join(",")).unwrap();
                }
                if let Some(bytes) = &write.hard_state {
                    let state: HardState = decode("", bytes).unwrap();
                    write!(
                        text,
                        " term={} vote={} commit={}",
                        state.term, state.vote, state.commit
                    )
                    .unwrap();
                }
                self.writes.push((id, write));
                text
            }
            Output::Send { to, message } => {
                let no = if message.reject { " no" } else { "" };
                let kind = message.kind;
                format!("→ {to} {kind:?} term={} index={}{no}", message.term, message.index)
            }
            Output::Apply { index, data, proposal, .. } => {
                let data = String::from_utf8(data).unwrap();
                let asker = proposal.map_or(String::new(), |id| format!(" for {id}"));
                format!("apply {index} {data}{asker}")
            }
            Output::Leader { leader, term, is_self } => {
                let who = leader.map_or("nobody".into(), |id| id.to_string());
                format!("leader {who} {term}{}", if is_self { " (me)" } else { "" })
            }
            Output::MembersChanged { .. } => return None,
            Output::Advance { index, term: _ } => format!("advance {index}"),
            Output::Restore { index } => format!("restore {index}"),
            other => format!("{other:?}"),
        })
    }
}

#[track_caller]
fn check(voters: &[u64], expected: &str) {
    let mut talk = Talk::with(voters);
    let lines: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for line in lines.iter().filter_map(|line| line.strip_prefix("> ")) {
        talk.line(line);
    }
    let told: Vec<_> = talk.transcript.lines().collect();
    assert_eq!(told, lines, "\n{}", talk.transcript);
}

#[test]
fn a_vote_leaves_only_when_it_is_durable() {
    check(
        &[1, 2, 3],
        "> start
         leader nobody t1
         persist 1 term=1 vote=0 commit=1
         > fsync
         > vote from 2 term 5 last 1/1
         leader nobody t5
         persist 2 term=5 vote=2 commit=1
         > fsync
         → n2 VoteReply term=5 index=0",
    );
}

#[test]
fn a_vote_that_a_crash_forgot_was_never_told() {
    check(
        &[1, 2, 3],
        "> start
         leader nobody t1
         persist 1 term=1 vote=0 commit=1
         > fsync
         > vote from 2 term 5 last 1/1
         leader nobody t5
         persist 2 term=5 vote=2 commit=1
         > crash
         leader nobody t1
         > vote from 3 term 5 last 1/1
         leader nobody t5
         persist 1 term=5 vote=3 commit=1
         > fsync
         → n3 VoteReply term=5 index=0
         > vote from 2 term 5 last 1/1
         → n2 VoteReply term=5 index=0 no",
    );
}

#[test]
fn proposals_that_gather_are_one_write_and_one_more_waits_for_the_disk() {
    check(
        &[1],
        "> start
         leader n1 t2 (me)
         persist 1 entries=2 term=2 vote=1 commit=1
         > fsync
         advance 2
         > propose 1 a
         persist 2 entries=3 term=2 vote=1 commit=2
         > propose 2 b
         > propose 3 c
         > fsync
         apply 3 a for p1
         persist 3 entries=4,5 term=2 vote=1 commit=3
         > read 9
         ReadReady { id: RequestId(9), index: LogIndex(3) }",
    );
}

/// Committed by the others already, and yet not applied: "apply before persist" came to the engine after 0.7.0.
#[test]
fn a_follower_acknowledges_and_applies_only_what_is_on_its_own_disk() {
    check(
        &[1, 2, 3],
        "> start
         leader nobody t1
         persist 1 term=1 vote=0 commit=1
         > fsync
         > append from 2 term 2 prev 1/1 entries 2:x,3:y commit 3
         leader n2 t2
         persist 2 entries=2,3 term=2 vote=0 commit=3
         > fsync
         → n2 AppendReply term=2 index=3
         apply 2 x
         apply 3 y",
    );
}

/// A linearizable read at a follower would take as long as what its disk, and the disks of a quorum, are busy with.
#[test]
fn what_confirms_a_read_does_not_wait_for_the_disk_but_for_a_new_term() {
    check(
        &[1, 2, 3],
        "> start
         leader nobody t1
         persist 1 term=1 vote=0 commit=1
         > fsync
         > heartbeat from 2 term 2 commit 1
         leader n2 t2
         persist 2 term=2 vote=0 commit=1
         > fsync
         → n2 HeartbeatReply term=2 index=0
         > append from 2 term 2 prev 1/1 entries 2:x,3:y commit 3
         persist 3 entries=2,3 term=2 vote=0 commit=3
         > read 9
         → n2 ReadIndex term=0 index=0
         > heartbeat from 2 term 2 commit 1
         → n2 HeartbeatReply term=2 index=0
         > fsync
         → n2 AppendReply term=2 index=3
         apply 2 x
         apply 3 y",
    );
}

#[test]
fn an_overwritten_entry_is_truncated_on_disk() {
    check(
        &[1, 2, 3],
        "> start
         leader nobody t1
         persist 1 term=1 vote=0 commit=1
         > fsync
         > append from 2 term 2 prev 1/1 entries 2:x,3:y,4:z commit 1
         leader n2 t2
         persist 2 entries=2,3,4 term=2 vote=0 commit=1
         > fsync
         → n2 AppendReply term=2 index=4
         > append from 3 term 3 prev 2/2 entries 3:new commit 3
         apply 2 x
         leader n3 t3
         persist 3 truncate=3 entries=3 term=3 vote=0 commit=3
         > fsync
         → n3 AppendReply term=3 index=3
         apply 3 new",
    );
}

#[test]
fn writes_that_gather_while_the_disk_is_busy_are_merged() {
    check(
        &[1, 2, 3],
        "> start
         leader nobody t1
         persist 1 term=1 vote=0 commit=1
         > fsync
         > append from 2 term 2 prev 1/1 entries 2:x,3:y commit 1
         leader n2 t2
         persist 2 entries=2,3 term=2 vote=0 commit=1
         > append from 2 term 2 prev 3/2 entries 4:z,5:w commit 1
         > append from 3 term 3 prev 3/2 entries 4:new commit 3
         leader n3 t3
         > fsync
         apply 2 x
         apply 3 y
         persist 3 truncate=4 entries=4 term=3 vote=0 commit=3
         > fsync
         → n3 AppendReply term=3 index=4",
    );
}

#[test]
fn a_snapshot_counts_when_it_is_installed() {
    check(
        &[1, 2, 3],
        "> start
         leader nobody t1
         persist 1 term=1 vote=0 commit=1
         > fsync
         > snapshot from 2 term 2 at 10/2
         leader n2 t2
         persist 2 install=10 term=2 vote=0 commit=10
         > snapshot from 2 term 2 at 12/2
         MessageRefused { from: NodeId(2), why: Busy }
         > append from 2 term 2 prev 10/2 entries 11:x commit 11
         > fsync
         → n2 AppendReply term=2 index=10
         restore 10
         persist 3 entries=11 term=2 vote=0 commit=11
         > fsync
         → n2 AppendReply term=2 index=11
         apply 11 x",
    );
}

#[test]
fn a_leader_that_hears_nobody_steps_down() {
    check(
        &[1, 2, 3],
        "> start
         leader nobody t1
         persist 1 term=1 vote=0 commit=1
         > fsync
         > wait 2100
         → n2 PreVote term=2 index=1
         → n3 PreVote term=2 index=1
         > prevote-reply from 2 term 2
         leader nobody t2
         persist 2 term=2 vote=1 commit=1
         > fsync
         → n2 Vote term=2 index=1
         → n3 Vote term=2 index=1
         > vote-reply from 2 term 2
         → n2 Append term=2 index=1
         → n3 Append term=2 index=1
         leader n1 t2 (me)
         persist 3 entries=2
         > fsync
         > wait 2500
         → n2 Heartbeat term=2 index=0
         → n3 Heartbeat term=2 index=0
         → n2 Heartbeat term=2 index=0
         → n3 Heartbeat term=2 index=0
         → n2 Heartbeat term=2 index=0
         → n3 Heartbeat term=2 index=0
         → n2 Heartbeat term=2 index=0
         → n3 Heartbeat term=2 index=0
         → n2 Heartbeat term=2 index=0
         → n3 Heartbeat term=2 index=0
         → n2 Heartbeat term=2 index=0
         → n3 Heartbeat term=2 index=0
         → n2 Heartbeat term=2 index=0
         → n3 Heartbeat term=2 index=0
         → n2 Heartbeat term=2 index=0
         → n3 Heartbeat term=2 index=0
         → n2 Heartbeat term=2 index=0
         → n3 Heartbeat term=2 index=0
         leader nobody t2
         > propose 1 a
         Refused { id: ProposalId(1), why: NotLeader { leader: None } }",
    );
}

#[test]
fn a_node_that_waits_for_its_disk_does_not_stand_for_election() {
    check(
        &[1, 2, 3],
        "> start
         leader nobody t1
         persist 1 term=1 vote=0 commit=1
         > fsync
         > append from 2 term 2 prev 1/1 entries 2:x commit 1
         leader n2 t2
         persist 2 entries=2 term=2 vote=0 commit=1
         > wait 5000
         > timeout-now from 2 term 2
         > fsync
         → n2 AppendReply term=2 index=2
         > wait 2100
         → n2 PreVote term=3 index=2
         → n3 PreVote term=3 index=2
         leader nobody t2",
    );
}
