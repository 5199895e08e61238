//! Two nodes with one id: somebody started a copy of a data directory.
//!
//! Each message says in which life of its sender it was written. A restarted node has a later life, and its former one
//! says nothing any more. If both go on talking, they are two nodes; whoever was started later is the copy, and stops:
//! a copy that votes under the other's name would break every promise of the log.

use crate::{Body, Cluster, Output};
use base::{Duration, HybridTime, Instant, NodeId};

/// What was sent by a former life comes no later than this after the first word of the next one.
const LATE_WORDS: Duration = Duration::from_secs(10);
/// Of how many nodes it is remembered when they were heard.
const HEARD_MAX: usize = 4096;
/// Copies that are remembered; a node needs to be refused only as long as it tries.
const TWINS_MAX: usize = 64;

/// When a node was heard, and which lives of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// Anything at all.
    pub(crate) at: Instant,
    /// The latest life.
    life: HybridTime,
    /// When that life was heard first, and last.
    first: Instant,
    last: Instant,
}

impl Cluster {
    pub(crate) fn heard(&mut self, node: NodeId) {
        let now = self.now.instant;
        if self.heard.len() >= HEARD_MAX && !self.heard.contains_key(&node) {
            return;
        }
        self.heard.entry(node).and_modify(|heard| heard.at = now).or_insert(Heard {
            at: now,
            life: HybridTime(0),
            first: now,
            last: now,
        });
    }

    /// A node said something in this life.
    pub(crate) fn heard_life(&mut self, node: NodeId, life: HybridTime) {
        self.heard(node);
        let now = self.now.instant;
        let Some(heard) = self.heard.get_mut(&node) else { return };
        if life > heard.life {
            (heard.life, heard.first) = (life, now);
        }
        if life == heard.life {
            heard.last = now;
            return;
        }
        let both_talk = now.since(heard.first) > LATE_WORDS && now.since(heard.last) < LATE_WORDS;
        if !both_talk {
            return;
        }
        let copy = heard.life;
        // Its next words count from the beginning: it is told once in a while, as long as it talks.
        heard.life = life;
        if self.twins.len() < TWINS_MAX || self.twins.contains_key(&node) {
            self.twins.insert(node, copy);
        }
        self.view_is_old = true;
        self.file(format!(
            "there are two nodes {node}: the one started at {copy} is a copy of the other's data"
        ));
        self.say(node, Body::Twin { copy });
    }

    pub(crate) fn told_of_twin(&mut self, copy: HybridTime) {
        if copy == self.me.life {
            self.is_copy();
        } else {
            self.file(format!("a copy of this node's data directory runs since {copy}"));
        }
    }

    pub(crate) fn is_copy(&mut self) {
        self.outputs.push_back(Output::Halt(format!(
            "another node with the id {} runs since before: this data directory is a copy of its. Start this machine with an empty data directory and join",
            self.me.node
        )));
    }
}
