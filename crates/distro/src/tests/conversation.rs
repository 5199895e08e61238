//! What happens to records, as text: commands in, changes out.

use crate::*;
use base::Duration;
use std::{
    fmt::Write,
    format,
    string::{String, ToString},
    vec::Vec,
};

type Core = Distro<String, u32>;

/// `time@node/seq`: a version.
fn version(text: &str) -> Version {
    let (incarnation, seq) = text.split_once('/').expect("incarnation/seq");
    let (at, node) = incarnation.split_once('@').expect("time@node");
    let at = HybridTime::from_unix_ms(at.parse().expect("milliseconds"));
    let node = NodeId(node.parse().expect("a node"));
    Version { incarnation: Incarnation { at, node }, seq: seq.parse().expect("a number") }
}

fn record(key: &str, at: &str, value: &str) -> Record<String, u32> {
    Record { key: key.to_string(), version: version(at), value: value.parse().ok() }
}

fn show(core: &Core, key: &String) -> String {
    let Some(entry) = core.get(key) else { return "-".to_string() };
    let owned = if core.owns(entry) { ", owned" } else { "" };
    format!("{} ({}) {:?}{owned}", entry.value, entry.version, entry.standing)
}

/// Lets time pass and wakes the core whenever it asks for it.
fn wait(core: &mut Core, now: &mut Now, end: Now, transcript: &mut String) {
    while let Some(due) = core.deadline().filter(|due| *due <= end.instant) {
        *now = now.after(due.since(now.instant));
        core.step(*now, Input::Wake);
        tell(core, &format!("{} ", now.instant), transcript);
    }
    *now = end;
}

fn tell(core: &mut Core, prefix: &str, transcript: &mut String) {
    while let Some(output) = core.poll() {
        let Output::Changed { key, change } = output else {
            panic!("there is no peer: {output:?}")
        };
        let state = show(core, &key);
        writeln!(transcript, "{prefix}{key} {change:?}: {state}").expect("a string takes all");
    }
}

/// Runs a script and returns the transcript. This node is n1 and boots at 1000 ms.
fn run(script: &str) -> String {
    let mut now = Now::START.after(Duration::from_secs(1));
    let mut core = Core::new(now, NodeId(1), HybridClock::default());
    let mut transcript = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(transcript, "> {line}").expect("a string takes all");
        let words: Vec<&str> = line.split(' ').collect();
        let input = match words[..] {
            ["write", key, value] => {
                Input::Write { key: key.to_string(), value: value.parse().expect("a number") }
            }
            ["claim", key, value] => {
                Input::Claim { key: key.to_string(), value: value.parse().expect("a number") }
            }
            ["amend", key, value] => {
                Input::Amend { key: key.to_string(), value: value.parse().expect("a number") }
            }
            ["take-over", key] => Input::TakeOver { key: key.to_string(), heard: Instant::START },
            ["delete", key] => Input::Delete { key: key.to_string() },
            ["heard", key] => Input::Heard { key: key.to_string() },
            ["merge", key, version, value] => {
                let records = Vec::from([record(key, version, value)]);
                Input::Received { from: NodeId(9), message: Message::Delta { number: 1, records } }
            }
            ["restore", key, version, value] => Input::Restore(record(key, version, value)),
            ["gone", node] => Input::OwnerGone {
                owner: NodeId(node.parse().expect("a node")),
                heard: now.instant,
            },
            ["alive", node, life] => Input::OwnerAlive {
                owner: NodeId(node.parse().expect("a node")),
                life: HybridTime::from_unix_ms(life.parse().expect("milliseconds")),
            },
            ["wait", seconds] => {
                let end = now.after(Duration::from_secs(seconds.parse().expect("seconds")));
                wait(&mut core, &mut now, end, &mut transcript);
                continue;
            }
            ["tombstones"] => {
                writeln!(transcript, "{}", core.tombstones_count()).expect("a string takes all");
                continue;
            }
            _ => panic!("unknown command {line}"),
        };
        core.step(now, input);
        tell(&mut core, "", &mut transcript);
    }
    transcript
}

/// A script with its answers: the lines that begin with `>` are run.
fn check(expected: &str) {
    let lines = || expected.lines().map(str::trim).filter(|line| !line.is_empty());
    let script: Vec<&str> = lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let expected: Vec<&str> = lines().collect();
    let transcript = run(&script.join("\n"));
    assert!(transcript.lines().eq(expected.iter().copied()), "it went differently:\n{transcript}");
}

#[test]
fn the_owner_counts_its_states_and_a_deletion_is_one_of_them() {
    check(
        "> write a 5
         a Written: 5 (1000.1@n1/1) Living, owned
         > write a 6
         a Written: 6 (1000.1@n1/2) Living, owned
         > amend a 7
         a Written: 7 (1000.1@n1/3) Living, owned
         > claim a 7
         a Written: 7 (1000.2@n1/1) Living, owned
         > delete a
         a Deleted: -
         > tombstones
         1
         > delete a
         > amend a 8
         > write a 8
         a Written: 8 (1000.3@n1/1) Living, owned
         > tombstones
         0",
    );
}

#[test]
fn a_late_state_does_not_bring_back_what_was_deleted() {
    check(
        "> alive 2 100
         > merge a 500@2/1 5
         a Written: 5 (500.0@n2/1) Living
         > merge a 500@2/3 -
         a Deleted: -
         > merge a 500@2/2 6
         > merge a 500@2/1 5
         > merge b 500@2/2 -
         > merge b 500@2/1 5
         > tombstones
         2
         > wait 601
         > tombstones
         0",
    );
}

#[test]
fn a_deletion_is_remembered_for_its_whole_time_even_after_an_earlier_one() {
    check(
        "> merge a 500@2/2 -
         > wait 300
         > merge a 500@2/4 -
         > wait 500
         > merge a 500@2/3 5
         > tombstones
         1
         > wait 101
         > tombstones
         0",
    );
}

#[test]
fn a_greater_incarnation_takes_over_and_is_taken_over() {
    check(
        "> alive 2 100
         > write a 5
         a Written: 5 (1000.1@n1/1) Living, owned
         > merge a 2000@2/1 6
         a Written: 6 (2000.0@n2/1) Living
         > amend a 9
         > write a 7
         a Written: 7 (2000.1@n1/1) Living, owned
         > merge a 2000@2/9 8",
    );
}

#[test]
fn what_its_owner_hands_over_is_nobodys_orphan() {
    check(
        "> alive 2 100
         > merge a 500@2/1 5
         a Written: 5 (500.0@n2/1) Living
         > take-over a
         a Written: 5 (1000.1@n1/1) Living, owned
         > gone 2
         > merge a 500@2/2 6
         > wait 20
         > take-over b
         > amend a 7
         a Written: 7 (1000.1@n1/2) Living, owned",
    );
}

#[test]
fn what_this_node_originated_it_knows_better_than_anybody() {
    check(
        "> write a 5
         a Written: 5 (1000.1@n1/1) Living, owned
         > merge a 1001@1/1 6
         a Written: 5 (1001.1@n1/1) Living, owned
         > merge a 1001@1/7 -
         > merge a 1002@1/7 -
         a Written: 5 (1002.1@n1/1) Living, owned
         > merge b 1001@1/7 6
         > tombstones
         1",
    );
}

#[test]
fn an_owner_that_was_started_again_does_not_answer_for_its_earlier_life() {
    check(
        "> alive 2 100
         > merge a 500@2/1 5
         a Written: 5 (500.0@n2/1) Living
         > wait 10
         > alive 2 9000
         > merge b 500@2/2 6
         b Orphaned: 6 (500.0@n2/2) Orphan
         > merge c 9500@2/1 7
         c Written: 7 (9500.0@n2/1) Living
         > alive 2 100
         > wait 20
         +11.000s a Orphaned: 5 (500.0@n2/1) Orphan
         +26.000s a Hidden: 5 (500.0@n2/1) Hidden
         +26.000s b Hidden: 6 (500.0@n2/2) Hidden",
    );
}

#[test]
fn what_nobody_vouches_for_is_listed_for_a_while_only() {
    check(
        "> merge a 500@2/1 5
         a Orphaned: 5 (500.0@n2/1) Orphan
         > wait 10
         > alive 2 100
         > merge b 500@3/1 5
         b Orphaned: 5 (500.0@n3/1) Orphan
         > wait 20
         +11.000s a Reclaimed: 5 (500.0@n2/1) Living
         +26.000s b Hidden: 5 (500.0@n3/1) Hidden
         > gone 3
         > merge c 500@3/1 6
         c Orphaned: 6 (500.0@n3/1) Orphan",
    );
}

#[test]
fn what_an_earlier_life_of_this_node_originated_is_an_orphan() {
    check(
        "> alive 2 100
         > merge a 900@1/1 5
         a Orphaned: 5 (900.0@n1/1) Orphan
         > restore b 900@1/1 6
         b Orphaned: 6 (900.0@n1/1) Orphan
         > restore c 900@2/1 7
         c Orphaned: 7 (900.0@n2/1) Orphan
         > merge c 900@2/2 8
         c Written: 8 (900.0@n2/2) Living
         > restore c 900@2/1 7
         > write b 9
         b Written: 9 (1000.1@n1/1) Living, owned
         > wait 20
         +16.000s a Hidden: 5 (900.0@n1/1) Hidden",
    );
}

#[test]
fn an_orphan_is_hidden_15_s_and_dropped_10_min_after_it_was_heard() {
    check(
        "> alive 2 100
         > merge a 500@2/1 5
         a Written: 5 (500.0@n2/1) Living
         > gone 2
         > wait 10
         +1.000s a Orphaned: 5 (500.0@n2/1) Orphan
         > heard a
         > wait 10
         > wait 10
         +26.000s a Hidden: 5 (500.0@n2/1) Hidden
         > merge a 500@2/1 5
         > heard a
         a Orphaned: 5 (500.0@n2/1) Orphan
         > wait 700
         +46.000s a Hidden: 5 (500.0@n2/1) Hidden
         +631.000s a Dropped: -",
    );
}

#[test]
fn an_owner_that_is_back_answers_for_its_orphans() {
    check(
        "> alive 2 100
         > alive 3 100
         > merge a 500@2/1 5
         a Written: 5 (500.0@n2/1) Living
         > merge b 500@3/1 5
         b Written: 5 (500.0@n3/1) Living
         > gone 2
         > merge c 500@2/1 5
         c Orphaned: 5 (500.0@n2/1) Orphan
         > wait 20
         +1.000s a Orphaned: 5 (500.0@n2/1) Orphan
         +16.000s a Hidden: 5 (500.0@n2/1) Hidden
         +16.000s c Hidden: 5 (500.0@n2/1) Hidden
         > alive 2 100
         > wait 1000
         +21.000s a Reclaimed: 5 (500.0@n2/1) Living
         +21.000s c Reclaimed: 5 (500.0@n2/1) Living",
    );
}

#[test]
fn an_orphan_that_is_deleted_is_gone_for_good() {
    check(
        "> restore a 500@2/1 5
         a Orphaned: 5 (500.0@n2/1) Orphan
         > delete a
         a Deleted: -
         > merge a 500@2/2 6
         > wait 20",
    );
}

#[test]
fn a_time_from_the_far_future_is_junk() {
    check(
        "> merge a 99999999999999@2/1 5
         > write a 6
         a Written: 6 (1000.1@n1/1) Living, owned",
    );
}

#[test]
fn a_sweep_over_many_records_goes_in_pieces() {
    let mut core: Distro<u64, u32> = Distro::new(Now::START, NodeId(1), HybridClock::default());
    let count = 2 * RECORDS_PER_WAKE as u64 + 1;
    let life = HybridTime::from_unix_ms(100);
    core.step(Now::START, Input::OwnerAlive { owner: NodeId(2), life });
    core.step(Now::START, Input::Wake);
    for key in 0..count {
        let records = Vec::from([Record { key, version: version("500@2/1"), value: Some(0) }]);
        let message = Message::Delta { number: 1, records };
        core.step(Now::START, Input::Received { from: NodeId(2), message });
    }
    while core.poll().is_some() {}
    core.step(Now::START, Input::OwnerGone { owner: NodeId(2), heard: Instant::START });
    let mut pieces = Vec::new();
    while core.deadline() == Some(Instant::START) {
        core.step(Now::START, Input::Wake);
        pieces.push(std::iter::from_fn(|| core.poll()).count());
    }
    assert_eq!(pieces, [RECORDS_PER_WAKE, RECORDS_PER_WAKE, 1]);
}
