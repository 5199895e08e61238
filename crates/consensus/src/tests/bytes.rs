//! Bytes and messages from outside: whatever they are, the answer is typed and nothing panics.

use super::{conversations::blank, *};
use crate::wire::{Blob, Content, HardState, LogEntry, NUMBER_MAX, SnapshotMeta, encode};
use base::Term;
use proptest::prelude::*;

fn kinds() -> impl Strategy<Value = MessageKind> {
    prop::sample::select(vec![
        MessageKind::Append,
        MessageKind::AppendReply,
        MessageKind::Vote,
        MessageKind::VoteReply,
        MessageKind::PreVote,
        MessageKind::PreVoteReply,
        MessageKind::Snapshot,
        MessageKind::Heartbeat,
        MessageKind::HeartbeatReply,
        MessageKind::TimeoutNow,
        MessageKind::ReadIndex,
        MessageKind::ReadIndexReply,
    ])
}

/// Small numbers meet the state of the node, great ones its arithmetic.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..8, 1 => Just(NUMBER_MAX), 1 => Just(u64::MAX), 1 => any::<u64>()]
}

fn ids() -> impl Strategy<Value = Vec<NodeId>> {
    prop::collection::vec((0_u64..5).prop_map(NodeId), 0..4)
}

prop_compose! {
    fn members()(voters in ids(), learners in ids(), voters_outgoing in ids(), learners_next in ids(), auto_leave: bool) -> Members {
        Members { voters, learners, voters_outgoing, learners_next, auto_leave }
    }
}

fn content() -> impl Strategy<Value = Content> {
    let change = (0..3, 0_u64..5).prop_map(|(kind, id)| match kind {
        0 => MemberChange::AddVoter(NodeId(id)),
        1 => MemberChange::AddLearner(NodeId(id)),
        _ => MemberChange::Remove(NodeId(id)),
    });
    prop_oneof![
        any::<Vec<u8>>().prop_map(|data| Content::Data(Blob(data.into()))),
        prop::collection::vec(change, 0..3).prop_map(Content::Members),
    ]
}

prop_compose! {
    fn messages()(
        kind in kinds(),
        numbers in [number(), number(), number(), number(), number(), number()],
        reject: bool,
        context: Vec<u8>,
        entries in prop::collection::vec((number(), number(), content(), any::<bool>()), 0..4),
        snapshot in prop::option::of((number(), number(), members())),
    ) -> Message {
        let [term, log_term, index, commit, commit_term, reject_hint] = numbers;
        let mut message = blank(kind, term);
        message.log_term = log_term;
        message.index = index;
        message.commit = commit;
        message.commit_term = commit_term;
        message.reject = reject;
        message.reject_hint = reject_hint;
        message.context = Blob(context.into());
        message.entries = entries.into_iter().enumerate().map(|(n, (at, of, content, fits))| {
            // Most of them fit together, or the first look would refuse all.
            let next = index.wrapping_add(n as u64 + 1);
            LogEntry { index: if fits { next } else { at }, term: if fits { term } else { of }, content }
        }).collect();
        message.snapshot = snapshot.map(|(index, term, members)| SnapshotMeta { index, term, members });
        message
    }
}

proptest! {
    #[test]
    fn junk_is_no_message(mut bytes: Vec<u8>) {
        let _ = Message::decode(&bytes);
        bytes.insert(0, WIRE_VERSION);
        let _ = Message::decode(&bytes);
    }

    #[test]
    fn a_message_reads_back(message in messages()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn a_cut_or_longer_message_is_refused(message in messages(), cut: usize) {
        let mut bytes = message.encode();
        let cut = cut % bytes.len();
        prop_assert!(Message::decode(&bytes[..cut]).is_err());
        bytes.push(0);
        prop_assert!(Message::decode(&bytes).is_err());
    }

    #[test]
    fn no_message_of_a_peer_breaks_a_node(
        role in 0..3,
        steps in prop::collection::vec((2_u64..4, messages()), 1..12)
    ) {
        let mut world = World::new(1, if role == 2 { &[] } else { &[1, 2, 3] });
        if role == 2 {
            world.add(1, &[]);
        }
        if role == 1 {
            world.run(3000);
        }
        let id = if role == 1 { world.leader().unwrap() } else { 1 };
        let node = world.nodes.get_mut(&id).unwrap().life.as_mut().unwrap();
        for (from, message) in steps {
            node.step(world.now, Input::Message { from: NodeId(from), message });
            while let Some(output) = node.poll() {
                if let Output::Persist { id, .. } = output {
                    node.step(world.now, Input::Persisted(id));
                }
            }
        }
    }

    #[test]
    fn junk_on_disk_is_an_error(
        hard_state: Option<Vec<u8>>, snapshot: Option<Vec<u8>>, entries: Vec<(u64, Vec<u8>)>, applied: u64
    ) {
        let entries = entries.into_iter().map(|(index, bytes)| (LogIndex(index), bytes)).collect();
        let recovered = Recovered { hard_state, snapshot, entries, applied: LogIndex(applied) };
        let _ = Consensus::recover(Settings::new(NodeId(1), vec![], 1), Now::START, recovered);
    }

    #[test]
    fn records_that_do_not_fit_together_are_an_error_or_a_node(
        hard in [number(), number(), number()],
        snapshot in (number(), number(), members()),
        entries in prop::collection::vec((number(), content()), 0..4),
        applied in number(),
    ) {
        let [term, vote, commit] = hard;
        let (index, of, members) = snapshot;
        let entries = entries.into_iter().enumerate().map(|(n, (term, content))| {
            let index = index.wrapping_add(n as u64 + 1);
            (LogIndex(index), encode(&LogEntry { term, index, content }))
        }).collect();
        let recovered = Recovered {
            hard_state: Some(encode(&HardState { term, vote, commit })),
            snapshot: Some(encode(&SnapshotMeta { index, term: of, members })),
            entries,
            applied: LogIndex(applied),
        };
        if let Ok(mut node) = Consensus::recover(Settings::new(NodeId(1), vec![], 1), Now::START, recovered) {
            while node.poll().is_some() {}
        }
    }
}

/// The engine takes term 0 for a match at any index behind its log.
#[test]
fn entries_behind_a_gap_are_refused() {
    let mut world = World::new(1, &[1, 2, 3]);
    let mut message = blank(MessageKind::Append, 1);
    message.index = 2;
    message.entries =
        vec![LogEntry { term: 1, index: 3, content: Content::Data(Blob(vec![7].into())) }];
    world.step(1, Input::Message { from: NodeId(2), message });
    let (_, last) = world.outputs.last().unwrap();
    let why = MessageFault::Invalid("it does not say what comes before its entries");
    assert_eq!(*last, Output::MessageRefused { from: NodeId(2), why });
}

/// The engine would count it for a majority and commit what does not exist.
#[test]
fn an_acknowledgement_of_what_was_never_sent_is_refused() {
    let mut world = World::new(2, &[1, 2, 3]);
    world.run(3000);
    let leader = world.leader().unwrap();
    let other = (1..=3).find(|id| *id != leader).unwrap();
    let mut message =
        blank(MessageKind::AppendReply, world.nodes[&leader].life.as_ref().unwrap().term().0);
    message.index = 1000;
    world.step(leader, Input::Message { from: NodeId(other), message });
    let (_, last) = world.outputs.last().unwrap();
    let why = MessageFault::Invalid("acknowledges what was never sent");
    assert_eq!(*last, Output::MessageRefused { from: NodeId(other), why });
}

/// A log of entries 2 to 4 behind the first snapshot.
fn whole() -> Recovered {
    let members = Members { voters: vec![NodeId(1)], ..Members::default() };
    let entry = |index| LogEntry { term: 2, index, content: Content::Data(Blob("x".into())) };
    Recovered {
        hard_state: Some(encode(&HardState { term: 2, vote: 1, commit: 3 })),
        snapshot: Some(encode(&SnapshotMeta { index: 1, term: 1, members })),
        entries: (2..=4).map(|index| (LogIndex(index), encode(&entry(index)))).collect(),
        applied: LogIndex(2),
    }
}

fn recover(recovered: Recovered) -> Result<Consensus, Error> {
    Consensus::recover(Settings::new(NodeId(1), vec![NodeId(1)], 1), Now::START, recovered)
}

#[test]
fn a_log_with_a_hole_is_an_error_that_says_where() {
    let why = |change: &dyn Fn(&mut Recovered)| {
        let mut recovered = whole();
        change(&mut recovered);
        recover(recovered).map(|_| ()).unwrap_err().to_string()
    };
    assert!(recover(whole()).is_ok());
    for (change, wanted) in [
        (
            &(|r: &mut Recovered| {
                r.entries.remove(1);
            }) as &dyn Fn(&mut Recovered),
            "index 4",
        ),
        (&|r| r.entries.truncate(1), "index 3: committed entries are missing"),
        (&|r| r.entries[1].0 = LogIndex(9), "index 9"),
        (&|r| r.entries.swap(0, 1), "index 3"),
        (&|r| r.applied = LogIndex(5), "the state tables are ahead of the log"),
        (&|r| r.hard_state = None, "the hard state is missing"),
        (&|r| r.snapshot = None, "another entry was expected here"),
        (&|r| r.hard_state.as_mut().unwrap()[0] = 9, "version 9"),
        (&|r| r.entries[0].1[0] = 7, "version 7"),
        (&|r| r.entries[0].1.truncate(2), "a log entry cannot be read"),
        (
            &|r| r.hard_state = Some(encode(&HardState { term: 1, vote: 0, commit: 1 })),
            "newer than the hard state",
        ),
    ] {
        let told = why(change);
        assert!(told.contains(wanted), "{told}");
    }
}

/// qdrant lost nodes to this order: tables made durable with an applied index that no durable hard state had committed.
/// Applied entries are committed and on disk, so the commit index may be raised to them.
#[test]
fn tables_ahead_of_the_durable_commit_are_no_harm() {
    let mut recovered = whole();
    recovered.applied = LogIndex(4);
    let mut node = recover(recovered).unwrap();
    assert_eq!(node.durable_commit(), LogIndex(3));
    let mut outputs = Vec::new();
    while let Some(output) = node.poll() {
        outputs.push(output);
    }
    assert!(!outputs.iter().any(|output| matches!(output, Output::Apply { .. })), "applied twice");
    assert_eq!(node.applied(), LogIndex(4));
}

/// A power cut after a snapshot was installed and before the hard state that came with it.
#[test]
fn a_snapshot_ahead_of_the_hard_state_raises_it() {
    let members = Members { voters: vec![NodeId(1), NodeId(2)], ..Members::default() };
    let recovered = Recovered {
        hard_state: Some(encode(&HardState { term: 2, vote: 2, commit: 3 })),
        snapshot: Some(encode(&SnapshotMeta { index: 90, term: 5, members })),
        entries: Vec::new(),
        applied: LogIndex(90),
    };
    let mut node = recover(recovered).unwrap();
    while node.poll().is_some() {}
    assert_eq!((node.applied(), node.term()), (LogIndex(90), Term(5)));
    assert_eq!(node.raw.raft.vote, 0, "the vote was for an older term");
}

#[test]
fn settings_that_contradict_themselves_are_an_error() {
    let settings = Settings::new(NodeId(1), vec![NodeId(1)], 1);
    for wrong in [
        Settings { id: NodeId(0), ..settings.clone() },
        Settings { voters: vec![NodeId(2)], ..settings.clone() },
        Settings { voters: vec![NodeId(1), NodeId(1)], ..settings.clone() },
        Settings { voters: vec![NodeId(1), NodeId(0)], ..settings.clone() },
        Settings { heartbeat_interval: Duration::ZERO, ..settings.clone() },
        Settings { election_timeout: settings.heartbeat_interval, ..settings.clone() },
        Settings { log_bytes_max: 1, ..settings },
    ] {
        let result = Consensus::recover(wrong.clone(), Now::START, Recovered::default());
        assert!(matches!(result, Err(Error::Settings { .. })), "{wrong:?}");
    }
}

/// Fixed in the engine after 0.7.0 ("next index shall be larger than match index"): a rejection that was delayed until
/// after the follower had caught up made the leader go back behind what matched.
#[test]
fn a_late_rejection_does_not_send_a_leader_back_behind_the_match() {
    let mut world = World::new(2, &[1, 2, 3]);
    world.run(3000);
    let leader = world.leader().unwrap();
    let other = (1..=3).find(|id| *id != leader).unwrap();
    for n in 0..3 {
        world.propose(leader, n, "x");
    }
    world.run(300);
    let node = world.nodes.get_mut(&leader).unwrap().life.as_mut().unwrap();
    let matched = node.raw.raft.prs().get(other).unwrap().matched;
    assert!(matched >= 4);
    node.step(world.now, Input::Unreachable { peer: NodeId(other) });
    let mut late = blank(MessageKind::AppendReply, node.term().0);
    late.reject = true;
    late.index = node.raw.raft.prs().get(other).unwrap().next_idx - 1;
    late.reject_hint = 1;
    node.step(world.now, Input::Message { from: NodeId(other), message: late });
    let progress = node.raw.raft.prs().get(other).unwrap();
    assert!(progress.next_idx > progress.matched, "{progress:?}");
}
