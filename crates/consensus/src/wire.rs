//! The bytes of consensus: messages to peers and records on disk. Ours, in postcard behind a version byte; the engine's
//! protobuf forms never leave the process, because its parser is not safe for bytes of others (RUSTSEC-2024-0437).

use crate::{Error, MemberChange, Members};
use bytes::Bytes;
use raft::eraftpb;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// The version of messages and records.
pub const WIRE_VERSION: u8 = 1;

/// The longest message that is read, in bytes: the longest entry that any node may propose, with room for its frame.
pub const MESSAGE_BYTES_MAX: usize = 72 << 20;

/// What a message takes at most besides its entries, in most cases, and an entry besides its data; more grows.
const MESSAGE_BYTES: usize = 96;
const ENTRY_BYTES: usize = 32;

/// Terms and indexes above this come from a broken peer; adding one to them must never overflow.
pub(crate) const NUMBER_MAX: u64 = 1 << 62;

/// Bytes that are written in one piece, not one by one. Those of an entry are shared: it is in the engine's log, in a write
/// and in a message to each follower at once.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Blob<T = Bytes>(pub(crate) T);

impl<T: AsRef<[u8]>> fmt::Debug for Blob<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0.as_ref().len())
    }
}

impl<T: AsRef<[u8]>> Serialize for Blob<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_ref())
    }
}

impl<'de, T: From<Vec<u8>>> Deserialize<'de> for Blob<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Visitor).map(|bytes| Self(bytes.into()))
    }
}

/// What an entry of the log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// A proposal; empty for the first entry of a leader.
    Data(Blob),
    /// A change of the membership; empty when a joint change is left.
    Members(Vec<MemberChange>),
}

/// One entry, in a message or on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogEntry {
    pub(crate) term: u64,
    pub(crate) index: u64,
    pub(crate) content: Content,
}

impl LogEntry {
    pub(crate) fn from_engine(entry: &eraftpb::Entry) -> Self {
        let content = match entry.get_entry_type() {
            eraftpb::EntryType::EntryNormal => Content::Data(Blob(entry.data.clone())),
            eraftpb::EntryType::EntryConfChange | eraftpb::EntryType::EntryConfChangeV2 => {
                Content::Members(changes_of(entry))
            }
        };
        Self { term: entry.term, index: entry.index, content }
    }

    /// Its bytes on disk.
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode_onto(Vec::with_capacity(ENTRY_BYTES + self.data_bytes()), self)
    }

    fn data_bytes(&self) -> usize {
        match &self.content {
            Content::Data(data) => data.0.len(),
            Content::Members(_) => 0,
        }
    }

    pub(crate) fn into_engine(self) -> eraftpb::Entry {
        let mut entry = match self.content {
            Content::Data(data) => data_entry(data.0),
            Content::Members(changes) => members_entry(&changes),
        };
        entry.term = self.term;
        entry.index = self.index;
        entry
    }
}

pub(crate) fn data_entry(data: Bytes) -> eraftpb::Entry {
    eraftpb::Entry { data, ..Default::default() }
}

/// The engine needs the protobuf form as data; ours travels beside it as context, so that nothing is ever parsed back.
pub(crate) fn members_entry(changes: &[MemberChange]) -> eraftpb::Entry {
    let mut entry = eraftpb::Entry::default();
    entry.set_entry_type(eraftpb::EntryType::EntryConfChangeV2);
    if !changes.is_empty() {
        entry.data = MemberChange::protobuf(changes).into();
        entry.context = body(&changes).into();
    }
    entry
}

pub(crate) fn changes_of(entry: &eraftpb::Entry) -> Vec<MemberChange> {
    if entry.context.is_empty() {
        return Vec::new(); // The engine itself leaves a joint change.
    }
    postcard::from_bytes(&entry.context).expect("only `members_entry` writes this context")
}

/// What is known of the log through a compaction or a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotMeta {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) members: Members,
}

impl SnapshotMeta {
    pub(crate) fn into_engine(self) -> eraftpb::Snapshot {
        let mut snapshot = eraftpb::Snapshot::default();
        let meta = snapshot.mut_metadata();
        meta.index = self.index;
        meta.term = self.term;
        meta.set_conf_state(self.members.state());
        snapshot
    }

    pub(crate) fn from_engine(snapshot: &eraftpb::Snapshot) -> Self {
        let meta = snapshot.get_metadata();
        Self {
            index: meta.index,
            term: meta.term,
            members: Members::from_state(meta.get_conf_state()),
        }
    }
}

/// What must outlive a crash besides the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HardState {
    pub(crate) term: u64,
    pub(crate) vote: u64,
    pub(crate) commit: u64,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageKind {
    /// Entries, leader → follower. If it is lost, the leader repeats it after the next heartbeat.
    Append,
    /// What the follower has, or where its log differs.
    AppendReply,
    /// "I stand for election." If it is lost, the candidate starts over with a higher term.
    Vote,
    /// A vote or its refusal.
    VoteReply,
    /// "Would you vote for me?", so that a node that was cut off does not depose a leader.
    PreVote,
    /// The answer to it.
    PreVoteReply,
    /// The follower is too far behind for entries; the pieces of the snapshot travel beside the message.
    Snapshot,
    /// The leader lives. Carries a read round. If it is lost, the next one follows.
    Heartbeat,
    /// The answer to it, with the same round.
    HeartbeatReply,
    /// "Take over": leadership is transferred.
    TimeoutNow,
    /// A follower asks for a read index. If it is lost, the follower asks again.
    ReadIndex,
    /// The read index.
    ReadIndexReply,
}

/// A message between two nodes. From whom it is says the connection, not the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub(crate) kind: MessageKind,
    pub(crate) term: u64,
    pub(crate) log_term: u64,
    pub(crate) index: u64,
    pub(crate) commit: u64,
    pub(crate) commit_term: u64,
    pub(crate) reject: bool,
    pub(crate) reject_hint: u64,
    pub(crate) context: Blob<Box<[u8]>>,
    pub(crate) entries: Vec<LogEntry>,
    pub(crate) snapshot: Option<SnapshotMeta>,
}

impl Message {
    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// How many entries it carries.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Through which entry the snapshot is that it speaks of.
    #[must_use]
    pub fn snapshot_index(&self) -> Option<base::LogIndex> {
        self.snapshot.as_ref().map(|snapshot| base::LogIndex(snapshot.index))
    }

    /// A refused vote is one that was given. For simulators that plant a bug.
    #[must_use]
    pub fn granted(mut self) -> Self {
        if matches!(self.kind, MessageKind::VoteReply | MessageKind::PreVoteReply) {
            self.reject = false;
        }
        self
    }

    /// Its bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_onto(Vec::new())
    }

    /// Its bytes on the wire, behind those that are there.
    #[must_use]
    pub fn encode_onto(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let entries = self.entries.iter().map(|entry| ENTRY_BYTES + entry.data_bytes());
        // So that entries are copied once, and not whenever the buffer grows.
        bytes.reserve(MESSAGE_BYTES + entries.sum::<usize>());
        encode_onto(bytes, self)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`Error::Version`] or [`Error::Malformed`]; never panics, whatever the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "a consensus message";
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Error::Malformed { what: WHAT, why: "it is too long" });
        }
        decode(WHAT, bytes)
    }

    /// `None` for what stays inside a node.
    pub(crate) fn from_engine(mut message: eraftpb::Message) -> Option<Self> {
        use eraftpb::MessageType as T;
        let kind = match message.get_msg_type() {
            T::MsgAppend => MessageKind::Append,
            T::MsgAppendResponse => MessageKind::AppendReply,
            T::MsgRequestVote => MessageKind::Vote,
            T::MsgRequestVoteResponse => MessageKind::VoteReply,
            T::MsgRequestPreVote => MessageKind::PreVote,
            T::MsgRequestPreVoteResponse => MessageKind::PreVoteReply,
            T::MsgSnapshot => MessageKind::Snapshot,
            T::MsgHeartbeat => MessageKind::Heartbeat,
            T::MsgHeartbeatResponse => MessageKind::HeartbeatReply,
            T::MsgTimeoutNow => MessageKind::TimeoutNow,
            T::MsgReadIndex => MessageKind::ReadIndex,
            T::MsgReadIndexResp => MessageKind::ReadIndexReply,
            T::MsgHup
            | T::MsgBeat
            | T::MsgPropose
            | T::MsgUnreachable
            | T::MsgSnapStatus
            | T::MsgCheckQuorum
            | T::MsgTransferLeader => return None,
        };
        let mut context = message.take_context();
        let mut entries: Vec<_> = message.entries.iter().map(LogEntry::from_engine).collect();
        if matches!(kind, MessageKind::ReadIndex | MessageKind::ReadIndexReply) {
            // The engine puts the name of a read round into the data of an entry.
            context = message.entries.first().map(|entry| entry.data.clone()).unwrap_or_default();
            entries.clear();
        }
        let snapshot = (kind == MessageKind::Snapshot)
            .then(|| SnapshotMeta::from_engine(message.get_snapshot()));
        Some(Self {
            kind,
            term: message.term,
            log_term: message.log_term,
            index: message.index,
            commit: message.commit,
            commit_term: message.commit_term,
            reject: message.reject,
            reject_hint: message.reject_hint,
            context: Blob(context[..].into()),
            entries,
            snapshot,
        })
    }

    pub(crate) fn into_engine(self, from: u64, to: u64) -> eraftpb::Message {
        use eraftpb::MessageType as T;
        let mut message = eraftpb::Message::default();
        message.set_msg_type(match self.kind {
            MessageKind::Append => T::MsgAppend,
            MessageKind::AppendReply => T::MsgAppendResponse,
            MessageKind::Vote => T::MsgRequestVote,
            MessageKind::VoteReply => T::MsgRequestVoteResponse,
            MessageKind::PreVote => T::MsgRequestPreVote,
            MessageKind::PreVoteReply => T::MsgRequestPreVoteResponse,
            MessageKind::Snapshot => T::MsgSnapshot,
            MessageKind::Heartbeat => T::MsgHeartbeat,
            MessageKind::HeartbeatReply => T::MsgHeartbeatResponse,
            MessageKind::TimeoutNow => T::MsgTimeoutNow,
            MessageKind::ReadIndex => T::MsgReadIndex,
            MessageKind::ReadIndexReply => T::MsgReadIndexResp,
        });
        message.from = from;
        message.to = to;
        message.term = self.term;
        message.log_term = self.log_term;
        message.index = self.index;
        message.commit = self.commit;
        message.commit_term = self.commit_term;
        message.reject = self.reject;
        message.reject_hint = self.reject_hint;
        let mut entries: Vec<_> = self.entries.into_iter().map(LogEntry::into_engine).collect();
        if matches!(self.kind, MessageKind::ReadIndex | MessageKind::ReadIndexReply) {
            entries = vec![data_entry(self.context.0.into())];
        } else {
            message.context = self.context.0.into();
        }
        message.set_entries(entries.into());
        if let Some(snapshot) = self.snapshot {
            message.set_snapshot(snapshot.into_engine());
        }
        message
    }
}

const PLAIN: &str = "our types are plain data, and memory is the only limit";

fn body(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, Vec::new()).expect(PLAIN)
}

pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    encode_onto(Vec::new(), value)
}

fn encode_onto(mut bytes: Vec<u8>, value: &impl Serialize) -> Vec<u8> {
    bytes.push(WIRE_VERSION);
    postcard::to_extend(value, bytes).expect(PLAIN)
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(
    what: &'static str,
    bytes: &'a [u8],
) -> Result<T, Error> {
    match bytes.split_first() {
        None => Err(Error::Malformed { what, why: "it is empty" }),
        Some((&WIRE_VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((value, [])) => Ok(value),
            Ok(_) => Err(Error::Malformed { what, why: "it is longer than what it says" }),
            Err(_) => Err(Error::Malformed { what, why: "it is not what was written" }),
        },
        Some((&found, _)) => Err(Error::Version { what, found, known: WIRE_VERSION }),
    }
}
