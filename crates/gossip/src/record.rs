//! What a node says of itself.

use crate::{Error, wire::list};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use base::NodeId;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest address in bytes.
pub const ADDRESS_BYTES_MAX: usize = 128;
/// The most addresses of one node.
pub const ADDRESSES_LEN_MAX: usize = 4;
/// The most facts of one node.
pub const FACTS_LEN_MAX: usize = 8;
/// The longest value of a fact in bytes.
pub const FACT_BYTES_MAX: usize = 64;
/// The longest record in bytes, so that one always fits into a datagram beside its message.
pub const RECORD_BYTES_MAX: usize = 800;
/// Generations, incarnations and versions above this come from a broken peer; adding one to them must never overflow.
pub const NUMBER_MAX: u64 = 1 << 62;

/// What a record takes at most besides its addresses and facts.
const RECORD_FRAME_BYTES: usize = 64;

/// Where a node is reached: `host:port`, a name or a number; the host of the core resolves it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(Arc<str>);

impl Address {
    /// Checks an address.
    ///
    /// # Errors
    /// [`Error::Address`] if it is empty, longer than [`ADDRESS_BYTES_MAX`] or has blanks or control characters.
    pub fn new(text: &str) -> Result<Self, Error> {
        let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if text.is_empty() || text.len() > ADDRESS_BYTES_MAX || !plain {
            return Err(Error::Address);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Address;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an address of at most {ADDRESS_BYTES_MAX} bytes")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Address, E> {
                Address::new(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Changes at each process start: the hybrid clock of the node when it booted. A greater one is a later life.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Generation(pub u64);

/// Raised by a member itself to refute that it is suspect or down.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Incarnation(pub u64);

/// Counts the descriptions that a node gave of itself in one generation.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RecordVersion(pub u64);

/// A set of roles, one per bit. Which bit means what is known to the plane that owns the core.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Roles(pub u32);

/// The versions of the peer protocol that a node speaks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Protocols {
    /// The oldest.
    pub min: u16,
    /// The newest.
    pub max: u16,
}

/// A small thing that others should know of a node and that the core does not understand: a zone, a build.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about; unique within a record.
    pub key: u16,
    /// At most [`FACT_BYTES_MAX`] bytes.
    #[serde(deserialize_with = "fact_value")]
    pub value: Box<[u8]>,
}

fn fact_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[u8]>, D::Error> {
    list::<D, u8, FACT_BYTES_MAX>(deserializer).map(Vec::into_boxed_slice)
}

/// What a node says of itself; its host may change it at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Description {
    /// Where it is reached, at least one. Gossip goes to the first.
    #[serde(deserialize_with = "list::<_, _, ADDRESSES_LEN_MAX>")]
    pub addresses: Vec<Address>,
    /// What it does.
    pub roles: Roles,
    /// What it speaks.
    pub protocols: Protocols,
    /// Opaque; by rising key.
    #[serde(deserialize_with = "list::<_, _, FACTS_LEN_MAX>")]
    pub facts: Vec<Fact>,
}

impl Description {
    /// Whether it may be told to others.
    ///
    /// # Errors
    /// [`Error::Record`] with what is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |why| Err(Error::Record { why });
        if self.addresses.is_empty() || self.addresses.len() > ADDRESSES_LEN_MAX {
            return wrong("it must have between one and four addresses");
        }
        if self.facts.len() > FACTS_LEN_MAX {
            return wrong("it has more than eight facts");
        }
        if self.facts.iter().any(|fact| fact.value.len() > FACT_BYTES_MAX) {
            return wrong("a fact is longer than 64 bytes");
        }
        if !self.facts.is_sorted_by(|a, b| a.key < b.key) {
            return wrong("its facts are not in rising order of their keys");
        }
        if self.protocols.min > self.protocols.max {
            return wrong("its oldest protocol version is newer than its newest");
        }
        let addresses = self.addresses.iter().map(|address| address.0.len() + 2);
        let facts = self.facts.iter().map(|fact| fact.value.len() + 5);
        if RECORD_FRAME_BYTES + addresses.chain(facts).sum::<usize>() > RECORD_BYTES_MAX {
            return wrong("it is longer than 800 bytes");
        }
        Ok(())
    }
}

/// A description, whose it is and which one of several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Record {
    /// Which life of the node says it.
    pub generation: Generation,
    /// The how-manieth description of that life.
    pub version: RecordVersion,
    /// Whose it is. A node is its id; its addresses are only what it says now.
    pub node: NodeId,
    /// What it says.
    pub description: Description,
}

impl Record {
    /// Where gossip for the node goes.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.description.addresses.first().expect("`check` wants one, and all records are checked")
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.node.0 == 0 {
            return Err(Error::Record { why: "node id 0 is reserved" });
        }
        if self.generation.0 > NUMBER_MAX || self.version.0 > NUMBER_MAX {
            return Err(Error::Record { why: "its generation or version is beyond the limit" });
        }
        self.description.check()
    }
}
