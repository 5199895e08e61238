//! Bugs that a simulator can put in, to see whether its checkers find them. Each changes what passes between the node and the
//! rest as a defect of the named part would; the parts themselves have no line for it. `server` has no way to set one.

mod locks;
mod peers;

use crate::views::ViewStore;
use base::{ConnectionId, HybridTime, NodeId, RequestId};
use node::{Input, Output, Request, View};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many words or pushes there are to one that gets lost.
const LOST_EVERY: u64 = 3;

/// How many inputs overtake a late hint.
const HINT_AFTER: u64 = 12;

/// A bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planted {
    /// None.
    #[default]
    Nothing,
    /// `config`: the condition of a publish is looked at when it is asked for, and not when it is applied.
    EarlyCondition,
    /// `node`: a config's view is swapped in after the reply and the notifications that follow from it.
    LateView,
    /// `config`: every third notification is not sent.
    LostNotification,
    /// `naming`: after each push the one before it is sent again.
    OldPush,
    /// `naming`: every third push is not sent.
    LostPush,
    /// `naming`: an instance does not end with its connection.
    DeafToClose,
    /// `distro`: a registration that comes once more after it was taken back brings the instance back.
    NoTombstone,
    /// `host`: the node serves before it has read its hint.
    LateHint,
    /// `host`: how far the hybrid clock has come is neither noted nor read.
    ForgottenClock,
    /// `consensus`: who leads, or led, answers reads without asking the others.
    LeaseWithoutTime,
    /// `consensus`: who follows answers reads without asking the leader.
    FollowerReads,
    /// `node`: what may be old is not said to be.
    UnmarkedReads,
    /// `consensus`: a write is acknowledged before a majority has it.
    EarlyAck,
    /// `distro`: digests are not compared, so what a link lost is never repaired.
    NoDigests,
    /// `distro`: deletions are not taken over from other nodes.
    DroppedTombstones,
    /// `distro`: what another node says wins over what this one knows better.
    OwnOverwritten,
    /// `config`: a follower loses every third change of what it shows.
    LostFollowerView,
    /// `config`: a follower does not tell every third listener.
    DeafFollowers,
    /// `naming`: what another node said is not pushed.
    LostPeerPush,
    /// `distro`: what another node does not list is taken for deleted.
    AbsenceDeletes,
    /// `naming`: every third push is empty.
    EmptyPush,
    /// `node`: it serves before the others have told it what they list.
    EarlyReady,
    /// `node`: everything is said to be old.
    AlwaysStale,
    /// `consensus`: votes that were refused count.
    RefusedVotes,
    /// `lock`: a renewal is confirmed and does not count.
    LostRenewal,
    /// `lock`: each node counts tokens by itself.
    OwnTokens,
}

/// A bug at work.
#[derive(Default)]
pub(crate) struct Planting {
    planted: Planted,
    count: u64,
    hint: Option<Input>,
    /// The last registration of a client.
    registered: BTreeMap<naming::ClientId, Request>,
    /// Outputs that come later than they should.
    late: VecDeque<Output>,
    /// The last push of a service to a subscriber.
    pushed: BTreeMap<(ConnectionId, naming::ServiceKey), Output>,
    leads: bool,
    /// Another node spoke of its clients, and no client of this one since.
    peer_spoke: bool,
    /// Requests that are answered in another way.
    settled: BTreeSet<(ConnectionId, RequestId)>,
    /// What other nodes have, deleted.
    known: BTreeMap<naming::OfferName, naming::PeerMessage>,
    /// The token of the log by the one that was given out.
    tokens: BTreeMap<u64, lock::Token>,
}

impl Planting {
    pub(crate) fn new(planted: Planted) -> Self {
        Self { planted, ..Self::default() }
    }

    pub(crate) fn is(&self, planted: Planted) -> bool {
        self.planted == planted
    }

    /// What becomes of an input.
    pub(crate) fn input(&mut self, views: &ViewStore, input: Input) -> Vec<Input> {
        let Some(mut input) = self.among_peers(input) else { return Vec::new() };
        match (self.planted, &mut input) {
            (Planted::LostRenewal | Planted::OwnTokens, Input::Request { .. }) => {
                return self.of_locks(input).into_iter().collect();
            }
            (Planted::AbsenceDeletes, Input::Peer { .. }) => {
                let absent = self.absent(&input);
                return [input].into_iter().chain(absent).collect();
            }
            (Planted::DeafToClose, Input::Closed { .. }) => return Vec::new(),
            (Planted::LateHint, Input::Hint(_)) => {
                self.hint = Some(input);
                return Vec::new();
            }
            (Planted::EarlyCondition, Input::Request { request: Request::Config(request), .. }) => {
                if let config::Request::Publish { key, cas_md5, .. } = request
                    && let Some(entry) = nacos::Views::config(views, key)
                    && cas_md5.as_ref().is_some_and(|md5| *md5 == entry.md5)
                {
                    *cas_md5 = None;
                }
            }
            (Planted::NoTombstone, Input::Request { request, .. }) => {
                let again = self.again(request);
                return [Some(input), again].into_iter().flatten().collect();
            }
            _ => {}
        }
        self.count += 1;
        let hint = self.hint.take_if(|_| self.count >= HINT_AFTER);
        hint.into_iter().chain([input]).collect()
    }

    /// What a client that takes an instance back had asked for before.
    fn again(&mut self, request: &Request) -> Option<Input> {
        match request {
            Request::Naming(naming::Request::Register { client, .. }) => {
                self.registered.insert(client.clone(), request.clone());
                None
            }
            Request::Naming(naming::Request::Deregister { client, .. }) => {
                let nobody = ConnectionId { node: NodeId(0), boot: HybridTime(0), counter: 0 };
                let request = self.registered.remove(client)?;
                Some(Input::Request { from: nobody, id: RequestId(0), request })
            }
            Request::Naming(_)
            | Request::Config(_)
            | Request::Access(_)
            | Request::Cluster(_)
            | Request::Lock(_)
            | Request::Fresh(_)
            | Request::Explain { .. }
            | Request::Crowds
            | Request::Shift(_)
            | Request::Status => None,
        }
    }

    /// What comes out instead of this.
    pub(crate) fn output(&mut self, output: Output) -> Vec<Output> {
        let Some(output) = self.out_among_peers(output) else { return Vec::new() };
        match (self.planted, output) {
            (Planted::LateView, output @ Output::Publish(View::Config(_))) => {
                self.late.push_back(output);
                Vec::new()
            }
            (Planted::LostNotification, Output::Notify { .. })
            | (Planted::LostPush, Output::Push { .. })
                if self.is_lost() =>
            {
                Vec::new()
            }
            (Planted::EmptyPush, Output::Push { to, clusters, view }) if self.is_lost() => {
                let mut empty = (*view).clone();
                empty.instances = [].into();
                vec![Output::Push { to, clusters, view: empty.into() }]
            }
            (Planted::OldPush, Output::Push { to, clusters, view }) => {
                let place = (to, view.key.clone());
                let output = Output::Push { to, clusters, view };
                let former = self.pushed.insert(place, output.clone());
                [Some(output), former].into_iter().flatten().collect()
            }
            (Planted::OwnTokens, output) => vec![self.own_token(output)],
            (_, output) => vec![output],
        }
    }

    /// What was held back through the batch before this one.
    pub(crate) fn late(&mut self) -> VecDeque<Output> {
        std::mem::take(&mut self.late)
    }

    fn is_lost(&mut self) -> bool {
        self.count += 1;
        self.count.is_multiple_of(LOST_EVERY)
    }
}
