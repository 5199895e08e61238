//! Bugs that show only when there are several nodes.

use super::{Planted, Planting};
use base::{ConnectionId, Consistency, RequestId, Revision};
use node::{Input, Output, PeerMessage, Reply, Request, Said, View};

impl Planting {
    /// Whether the node leads, as of the next input.
    pub(crate) fn note_leader(&mut self, leads: bool) {
        self.leads = leads;
    }

    /// Deletions of what a peer does not list.
    pub(super) fn absent(&mut self, input: &Input) -> Vec<Input> {
        let Input::Peer { from, message: PeerMessage { at, said: Said::Naming(said) } } = input
        else {
            return Vec::new();
        };
        let absent = said.absences(&mut self.known).into_iter();
        let message = |said| PeerMessage { at: *at, said: Said::Naming(said) };
        absent.map(|said| Input::Peer { from: *from, message: message(said) }).collect()
    }

    /// What becomes of an input.
    pub(super) fn among_peers(&mut self, input: Input) -> Option<Input> {
        match &input {
            Input::Peer { message: PeerMessage { said: Said::Naming(_), .. }, .. } => {
                self.peer_spoke = true
            }
            Input::Request {
                request: Request::Naming(naming::Request::Register { .. }), ..
            } => {
                self.peer_spoke = false;
            }
            _ => {}
        }
        match (self.planted, input) {
            (
                Planted::NoDigests,
                Input::Peer { message: PeerMessage { said: Said::Naming(said), .. }, .. },
            ) if said.is_digest() => None,
            (
                Planted::DroppedTombstones,
                Input::Peer { from, message: PeerMessage { at, said: Said::Naming(said) } },
            ) => {
                let said = Said::Naming(said.without_deletions());
                Some(Input::Peer { from, message: PeerMessage { at, said } })
            }
            (
                Planted::OwnOverwritten,
                Input::Peer { from, message: PeerMessage { at, said: Said::Naming(said) } },
            ) => {
                let said = Said::Naming(said.made_newest());
                Some(Input::Peer { from, message: PeerMessage { at, said } })
            }
            (
                Planted::RefusedVotes,
                Input::Peer { from, message: PeerMessage { at, said: Said::Consensus(said) } },
            ) => {
                let said = Said::Consensus(said.granted());
                Some(Input::Peer { from, message: PeerMessage { at, said } })
            }
            (_, Input::Request { from, id, request }) => {
                let request = self.request_among_peers(from, id, request);
                Some(Input::Request { from, id, request })
            }
            (_, input) => Some(input),
        }
    }

    fn request_among_peers(
        &mut self,
        from: ConnectionId,
        id: RequestId,
        request: Request,
    ) -> Request {
        let unasked = match self.planted {
            Planted::LeaseWithoutTime => self.leads,
            Planted::FollowerReads => !self.leads,
            _ => false,
        };
        match request {
            Request::Fresh(Consistency::Linearizable) if unasked => {
                self.settled.insert((from, id));
                Request::Fresh(Consistency::Stale)
            }
            Request::Config(request @ config::Request::Publish { .. })
                if self.planted == Planted::EarlyAck && self.leads =>
            {
                self.settled.insert((from, id));
                let outcome = config::Outcome::Published(Revision(0));
                let reply = Reply::Config(config::Reply::Outcome(outcome));
                self.late.push_back(Output::Reply { to: from, id, reply });
                Request::Config(request)
            }
            request => request,
        }
    }

    /// What comes out instead of this.
    pub(super) fn out_among_peers(&mut self, output: Output) -> Option<Output> {
        match (self.planted, output) {
            (Planted::EarlyAck, Output::Reply { to, id, .. }) if self.settled.remove(&(to, id)) => {
                None
            }
            (
                Planted::LeaseWithoutTime | Planted::FollowerReads,
                Output::Reply { to, id, reply: Reply::Fresh(mut fresh) },
            ) if self.settled.remove(&(to, id)) => {
                fresh.level = Consistency::Linearizable;
                Some(Output::Reply { to, id, reply: Reply::Fresh(fresh) })
            }
            (Planted::UnmarkedReads, Output::Reply { to, id, reply: Reply::Fresh(mut fresh) }) => {
                fresh.level = Consistency::Linearizable;
                Some(Output::Reply { to, id, reply: Reply::Fresh(fresh) })
            }
            (Planted::AlwaysStale, Output::Reply { to, id, reply: Reply::Fresh(mut fresh) }) => {
                fresh.level = Consistency::Stale;
                Some(Output::Reply { to, id, reply: Reply::Fresh(fresh) })
            }
            (Planted::EarlyReady, Output::Publish(View::Standing(mut standing))) => {
                standing.ready |= standing.complete;
                Some(Output::Publish(View::Standing(standing)))
            }
            (Planted::LostFollowerView, Output::Publish(View::Config(_)))
            | (Planted::DeafFollowers, Output::Notify { .. })
                if !self.leads && self.is_lost() =>
            {
                None
            }
            (Planted::LostPeerPush, Output::Push { .. }) if self.peer_spoke => None,
            (_, output) => Some(output),
        }
    }
}
