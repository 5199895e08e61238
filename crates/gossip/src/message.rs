//! What nodes say to each other. Each may be lost, repeated, late or out of order.

use crate::{
    Address, Error, Generation, Incarnation, Member, NUMBER_MAX, RecordVersion, State, wire::list,
};
use alloc::vec::Vec;
use base::NodeId;
use serde::{Deserialize, Serialize};

/// The most members that a node lists, itself not counted. At the limit those that are down or left are forgotten,
/// oldest first; if there are none, a new member is not taken in, which is counted.
pub const MEMBERS_LEN_MAX: usize = 4096;
/// The most updates in one message.
pub const UPDATES_LEN_MAX: usize = 256;
/// The most confirmations that a suspicion carries along.
pub const CONFIRMERS_LEN_MAX: usize = 8;
/// The most buckets of a digest; their number is a power of two.
pub const BUCKETS_LEN_MAX: usize = 256;

/// Pairs an ack with its probe. Counts the probes of one node, and may wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seq(pub u32);

/// What one node says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which cluster it is about.
    pub cluster: u32,
    /// Who sent it. If the transport knows that too, it must be the same.
    pub from: NodeId,
    /// What it is for.
    pub body: Body,
    /// News that travels along: infection. Lost: each piece goes to several others, and the exchange repairs the rest.
    #[serde(deserialize_with = "list::<_, _, UPDATES_LEN_MAX>")]
    pub updates: Vec<Update>,
}

/// What a message is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// "Are you there?" Prober → target, or one who was asked to → target. Lost: others are asked to probe.
    Probe {
        /// To be repeated in the ack.
        seq: Seq,
        /// Who is meant: the address may have a new owner, who must not answer.
        target: NodeId,
    },
    /// "I am." Target → prober, or passed on by one who was asked. Lost: as a lost probe. Late or twice: ignored.
    Ack {
        /// Of the probe.
        seq: Seq,
    },
    /// "Probe it for me." Prober → others. Lost: there are several, and the missing nack makes the prober doubt itself.
    IndirectProbe {
        /// To be repeated in the ack or nack.
        seq: Seq,
        /// Whom.
        target: NodeId,
        /// Where: it need not be a member in the view of those that are asked.
        address: Address,
    },
    /// "I asked it in vain." One who was asked → prober: the target is silent, but you are heard. Lost: the prober doubts
    /// itself a little more than it should.
    Nack {
        /// Of the indirect probe.
        seq: Seq,
    },
    /// Updates only.
    Gossip,
    /// "This is what I know, in hashes." Begins an exchange. Lost: the next exchange is with another member.
    Digest(Digest),
    /// "There we differ." The answer to a digest that differs. Lost: as a lost digest.
    Summary(Summary),
    /// Members. Lost: the next exchange finds the difference again.
    Delta(Delta),
}

/// What a node knows of present members, in hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The sender, so that one who does not know it can answer.
    pub member: Member,
    /// How many present members it knows, itself counted.
    pub present: u32,
    /// Goes into the hashes: what collides in one exchange does not in the next.
    pub salt: u32,
    /// One hash per bucket. A member's bucket is decided by its id alone.
    #[serde(deserialize_with = "list::<_, _, BUCKETS_LEN_MAX>")]
    pub buckets: Vec<u32>,
}

/// Which versions a node has in the buckets that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many buckets the digest had.
    pub buckets: u16,
    /// Those that differ.
    #[serde(deserialize_with = "list::<_, _, BUCKETS_LEN_MAX>")]
    pub differing: Vec<Bucket>,
}

/// One bucket of a summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Which.
    pub index: u16,
    /// Its members, those that are down or left as well.
    #[serde(deserialize_with = "list::<_, _, MEMBERS_LEN_MAX>")]
    pub entries: Vec<Entry>,
}

/// What version of a member a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose.
    pub node: NodeId,
    /// Which life.
    pub generation: Generation,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Of its record.
    pub version: RecordVersion,
    /// How it stands. Suspicions spread by themselves; here who is suspect counts as alive.
    pub state: State,
}

impl Entry {
    pub(crate) fn of(member: &Member) -> Self {
        Self {
            node: member.node(),
            generation: member.generation(),
            incarnation: member.incarnation,
            version: member.record.version,
            state: if member.state.is_present() { State::Alive } else { member.state },
        }
    }

    /// Whether it says something that `other`, of the same node, does not.
    pub(crate) fn is_news_to(&self, other: &Self) -> bool {
        let same_life = self.generation == other.generation;
        let standing = |entry: &Self| (entry.incarnation, entry.state);
        self.generation > other.generation
            || (same_life && (self.version > other.version || standing(self) > standing(other)))
    }
}

/// Members that the receiver lacks, and what the sender lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// For the receiver.
    #[serde(deserialize_with = "list::<_, _, MEMBERS_LEN_MAX>")]
    pub members: Vec<Member>,
    /// For the sender, please.
    #[serde(deserialize_with = "list::<_, _, MEMBERS_LEN_MAX>")]
    pub wants: Vec<NodeId>,
    /// The sender would like all that the receiver has: the first half of [`crate::Exchange::Full`].
    pub wants_all: bool,
}

/// One piece of news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Update {
    /// A member as the sender sees it: new, changed, back, or gone by its own word.
    Member(Member),
    /// These could not reach it. It may refute that.
    Suspect {
        /// Whom.
        node: NodeId,
        /// Which life.
        generation: Generation,
        /// In which incarnation.
        incarnation: Incarnation,
        /// Who; at least one.
        #[serde(deserialize_with = "list::<_, _, CONFIRMERS_LEN_MAX>")]
        by: Vec<NodeId>,
    },
    /// It did not refute in time.
    Down {
        /// Who.
        node: NodeId,
        /// Which life.
        generation: Generation,
        /// In which incarnation.
        incarnation: Incarnation,
    },
}

impl Message {
    /// Whether every part of it may be taken in.
    ///
    /// # Errors
    /// [`Error::Message`], or the error of a record in it.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |why| Err(Error::Message { from: self.from, why });
        if self.from.0 == 0 {
            return wrong("node id 0 is reserved");
        }
        if self.updates.len() > UPDATES_LEN_MAX {
            return wrong("it has more than 256 updates");
        }
        for update in &self.updates {
            update.check(self.from)?;
        }
        match &self.body {
            Body::Probe { .. }
            | Body::Ack { .. }
            | Body::IndirectProbe { .. }
            | Body::Nack { .. }
            | Body::Gossip => Ok(()),
            Body::Digest(digest) => {
                digest.member.check()?;
                if digest.member.node() != self.from {
                    return wrong("its digest is of another node");
                }
                if digest.member.state != State::Alive {
                    return wrong("who sends a digest is alive");
                }
                check_buckets(self.from, digest.buckets.len())
            }
            Body::Summary(summary) => {
                let count = usize::from(summary.buckets);
                check_buckets(self.from, count)?;
                if summary.differing.iter().any(|bucket| usize::from(bucket.index) >= count) {
                    return wrong("it names a bucket that is not there");
                }
                Ok(())
            }
            Body::Delta(delta) => {
                if delta.members.len() > MEMBERS_LEN_MAX || delta.wants.len() > MEMBERS_LEN_MAX {
                    return wrong("it has more than 4096 members");
                }
                delta.members.iter().try_for_each(Member::check)
            }
        }
    }
}

fn check_buckets(from: NodeId, count: usize) -> Result<(), Error> {
    if count.is_power_of_two() && count <= BUCKETS_LEN_MAX {
        return Ok(());
    }
    Err(Error::Message { from, why: "its number of buckets is not a power of two up to 256" })
}

impl Update {
    /// Who it is about.
    #[must_use]
    pub fn node(&self) -> NodeId {
        match self {
            Self::Member(member) => member.node(),
            Self::Suspect { node, .. } | Self::Down { node, .. } => *node,
        }
    }

    fn check(&self, from: NodeId) -> Result<(), Error> {
        let wrong = |why| Err(Error::Message { from, why });
        match self {
            Self::Member(member) => member.check(),
            Self::Suspect { incarnation, generation, by, node: _ } => {
                if by.is_empty() || by.len() > CONFIRMERS_LEN_MAX {
                    return wrong("a suspicion must have between one and eight accusers");
                }
                check_numbers(from, *generation, *incarnation)
            }
            Self::Down { incarnation, generation, node: _ } => {
                check_numbers(from, *generation, *incarnation)
            }
        }
    }
}

fn check_numbers(
    from: NodeId,
    generation: Generation,
    incarnation: Incarnation,
) -> Result<(), Error> {
    if generation.0 > NUMBER_MAX || incarnation.0 > NUMBER_MAX {
        return Err(Error::Message { from, why: "a number of an update is beyond the limit" });
    }
    Ok(())
}
