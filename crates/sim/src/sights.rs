//! What is seen of the hosts from outside after whatever happens to them: who leads, in which term, what is applied.

use crate::world::{Happening, World};
use host::Host;
use std::{fmt, sync::Arc};

/// How a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Its id.
    pub node: u64,
    /// Its term.
    pub term: u64,
    /// Whom it believes to lead.
    pub leader: Option<u64>,
    /// The cluster that it is in.
    pub cluster: Option<u64>,
    /// Who votes, as far as it knows.
    pub voters: Vec<u64>,
    /// With whom it has a link.
    pub links: Vec<u64>,
}

/// The last that was seen of a machine.
#[derive(Default)]
pub(crate) struct Seen {
    sight: Option<Sight>,
    applied: Option<u64>,
}

impl World {
    /// Looks at the host of a machine of a cluster, and notes what is new.
    pub(crate) fn sight(&mut self, machine: usize, host: &Arc<Host>) {
        if self.machines.len() == 1 {
            return;
        }
        let probe = host.probe();
        let sight = Sight {
            node: probe.node.0,
            term: probe.term.0,
            leader: probe.leader.map(|leader| leader.0),
            cluster: probe.cluster.and_then(|view| view.formation.cluster()).map(|id| id.0),
            voters: probe.voters.iter().map(|voter| voter.0).collect(),
            links: probe.peers.iter().map(|peer| peer.0).collect(),
        };
        let applied = probe.whole.then_some(probe.applied.0);
        let seen = &mut self.machines[machine].seen;
        let new_sight = seen.sight.as_ref() != Some(&sight);
        let new_state = applied.filter(|applied| seen.applied != Some(*applied));
        seen.sight = Some(sight.clone());
        seen.applied = applied.or(seen.applied);
        if new_sight {
            self.happened(Happening::Sighted { machine, sight });
        }
        if let Some(applied) = new_state {
            let hash = host.state_hash();
            self.happened(Happening::Applied { machine, applied, hash });
        }
    }

    /// What was seen last of a machine, in words: what it waits for.
    pub(crate) fn words_of(&self, machine: usize) -> String {
        let server = &self.machines[machine];
        let Some(host) = server.host() else { return format!("m{machine} is down") };
        let Some(sight) = &server.seen.sight else {
            let ready = if host.is_ready() { "serves" } else { "is not ready" };
            return format!("m{machine} {ready}");
        };
        let waits = if host.is_ready() {
            "serves"
        } else if sight.cluster.is_none() {
            "waits for a cluster"
        } else if sight.leader.is_none() {
            "waits for a leader"
        } else {
            "waits for the log"
        };
        format!("m{machine} {waits} ({sight}, applied {:?})", server.seen.applied)
    }

    /// Whether a machine believes that it leads.
    #[must_use]
    pub fn leads(&self, machine: usize) -> bool {
        let server = &self.machines[machine];
        let sight = server.seen.sight.as_ref().filter(|_| server.running.is_some());
        sight.is_some_and(|sight| sight.leader == Some(sight.node))
    }

    /// The machine that leads; of several that believe so, the one of the newest term.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        let newest = |machine: &usize| {
            self.machines[*machine].seen.sight.as_ref().map_or(0, |sight| sight.term)
        };
        (0..self.machines.len()).filter(|machine| self.leads(*machine)).max_by_key(newest)
    }

    /// Which machine has this node.
    pub(crate) fn machine_of(&self, node: u64) -> Option<usize> {
        let has = |machine: &usize| {
            self.machines[*machine].seen.sight.as_ref().is_some_and(|sight| sight.node == node)
        };
        (0..self.machines.len()).find(has)
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leader = self.leader.map_or_else(|| "nobody".to_owned(), |leader| leader.to_string());
        let voters = self.voters.len();
        write!(f, "term {}, leader {leader}, {voters} voters, links to {:?}", self.term, self.links)
    }
}
