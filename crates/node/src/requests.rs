//! From a request to the plane that it is for.

use crate::{
    Node, Phase, Reply, Request, Status, Tally, Unavailable, View,
    command::{Command, Entry, Origin},
    proposals::Waiter,
    surface::{Output, Standing},
};
use base::{ConnectionId, RequestId};
use journal::Cause;

impl Node {
    pub(crate) fn request(&mut self, from: ConnectionId, id: RequestId, request: Request) {
        self.cause = Cause::Connection(from);
        if !self.serves && request.needs_ready() {
            return self.reply(from, id, Reply::Unavailable(Unavailable::Starting));
        }
        let now = self.now;
        match request {
            Request::Naming(request) => {
                self.naming.step(now, naming::Input::Request { from, id, request });
            }
            Request::Config(request) => {
                self.config.step(now, config::Input::Request { from, id, request });
            }
            Request::Access(request) => {
                self.access.step(now, access::Input::Request { from, id, request });
            }
            Request::Cluster(request) => {
                self.cluster.step(now, cluster::Input::Request { from, id, request });
            }
            Request::Lock(request) => {
                self.lock.step(now, lock::Input::Request { from, id, request });
            }
            Request::Fresh(level) => self.read(from, id, level),
            Request::Explain { subject, limit } => self.gather_events(from, id, subject, limit),
            Request::Crowds => self.gather_crowds(from, id),
            Request::Shift(shifts) => self.shift_clients(from, id, &shifts),
            Request::Status => {
                let status = self.status();
                self.reply(from, id, Reply::Status(Box::new(status)));
            }
        }
    }

    /// Brings a command into the log, or says why not. Nothing is proposed while the disk is full: an append that
    /// fails would stop the node.
    pub(crate) fn propose(&mut self, to: ConnectionId, id: RequestId, command: Command) {
        if self.disk_full {
            return self.reply(to, id, Reply::Unavailable(Unavailable::DiskFull));
        }
        let proposal = self.proposals.next_id();
        let origin = Origin { node: self.id, life: self.life, proposal };
        let entry = Entry { origin, command }.encode();
        self.send_proposal(proposal, self.now.instant, Waiter { to, id }, entry);
    }

    /// How the node is. Also answered while it does not serve.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            node: self.id,
            ready: self.serves,
            complete: self.phase == Phase::Ready,
            cluster: self.cluster.view().clone(),
            term: self.term,
            leader: self.leader,
            // What is applied is committed, even if the hard state that says so is not on disk yet.
            commit: self
                .consensus
                .as_ref()
                .map_or(self.applied, |engine| engine.durable_commit().max(self.applied)),
            applied: self.applied,
            uptime: self.now.instant.since(self.started),
            voters: self.consensus.as_ref().map_or_else(Vec::new, |e| e.members().voters.to_vec()),
            disk_full: self.disk_full,
            peers: self.peers.iter().copied().collect(),
            lags: self
                .peers
                .iter()
                .filter_map(|peer| Some((*peer, self.registry_lag(*peer).0?)))
                .collect(),
            behind: self.consensus.as_ref().map_or_else(Vec::new, consensus::Consensus::behind),
            counts: self.naming.counts(),
            caught_up: self.naming.caught_up(),
            convergence: self.naming.convergence(),
            forwards_pending: self.naming.forwards_pending(),
            proposals_pending: self.proposals.len(),
            tally: Box::new(self.tally()),
        }
    }

    /// How far the registry of a linked node is from this one's: since when they agreed last (`None` if never), and how
    /// many records it has still to be sent.
    #[must_use]
    pub fn registry_lag(&self, peer: base::NodeId) -> (Option<base::Duration>, usize) {
        let (agreed_at, unsent) = self.naming.peer_standing(peer);
        (agreed_at.map(|at| self.now.instant.since(at)), unsent)
    }

    /// Whether the planes have all that is applied: their tables are read, and no snapshot is being loaded.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.phase != Phase::Restoring && self.reloading.is_none()
    }

    fn tally(&self) -> Tally {
        Tally {
            config_listeners: self.config.listeners_len(),
            journal_bytes: self.journal.bytes(),
            journal_events: self.journal.len(),
            journal_dropped: self.journal.dropped(),
            journal_oldest_unix_ms: self.journal.oldest().map(|event| event.unix_ms),
            ..self.tally.clone()
        }
    }

    /// Publishes how the node stands when that changed: readers must know what the views are worth before they see
    /// newer ones.
    pub(crate) fn refresh_standing(&mut self) {
        self.serves |= self.may_serve();
        let standing = Standing {
            ready: self.serves && self.phase != Phase::Halted,
            complete: self.phase == Phase::Ready,
            sole_voter: self.is_sole_voter(),
            applied: self.applied,
            confirmed: self.confirmed,
        };
        if standing != self.standing {
            self.standing = standing;
            self.outputs.push_back(Output::Publish(View::Standing(standing)));
        }
    }

    /// Whether the registry may be asked: alone, when all that was agreed is here; with others, as soon as it is known
    /// who may come in, and as much of the registry as others can tell.
    fn may_serve(&self) -> bool {
        let Some(members) = self.consensus.as_ref().map(consensus::Consensus::members) else {
            return false;
        };
        let caught_up = self.phase == Phase::Ready;
        if members.is_sole_voter(self.id) {
            return caught_up;
        }
        let known = caught_up || self.phase == Phase::Joining;
        known
            && self.reloading.is_none()
            && self.access.view().token_key.is_some()
            && !self.naming.restoring()
            && self.naming.is_ready(members.voters.len() + members.learners.len())
    }

    fn is_sole_voter(&self) -> bool {
        self.leader == Some(self.id)
            && self.consensus.as_ref().is_some_and(|engine| engine.members().is_sole_voter(self.id))
    }
}

impl Request {
    /// Status, the journal and the clients can be asked of a node that does not serve: that is when they are needed most.
    fn needs_ready(&self) -> bool {
        match self {
            Self::Naming(_)
            | Self::Config(_)
            | Self::Access(_)
            | Self::Lock(_)
            | Self::Fresh(_) => true,
            Self::Explain { .. }
            | Self::Crowds
            | Self::Shift(_)
            | Self::Status
            | Self::Cluster(_) => false,
        }
    }
}
