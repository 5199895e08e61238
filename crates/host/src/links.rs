//! The links to other nodes.
//!
//! A node *dials* every address that its cluster plane wants a link to. What it dialed carries its messages; the other
//! node's messages come on the links that the other one dialed. So nobody has to agree on a link, and a cut in one
//! direction is nothing special.
//!
//! ```text
//!  take_dials ─► connect, prove, introduce ─► link_opened ─► take_frame … ─► link_closed      (what this node dialed)
//!      accept a connection, prove, introduce ─► accept ─► peer_frame … ─► inbound_closed      (what others dialed)
//! ```
//!
//! A link has two lanes; it is up when both are. What a lane carries keeps its order or the link breaks: a lane that takes
//! too little is hung up, and nothing is dropped within one.
//!
//! # What the world does
//!
//! * Dials whatever [`Host::take_dials`] gives: both lanes, the proof by [`Host::peer_key`] of the key's name, then the
//!   introductions. Ends each in one `link_opened` or `link_closed`; whatever [`Host::take_hangups`] gives it closes.
//!   `link_signal` says when to look.
//! * Writes what [`Host::take_frame`] gives, one frame after another, on each lane; `listen_link` says when to look.
//! * Gives every frame of an accepted connection to [`Host::peer_frame`], in order. Told to pause, it reads no further
//!   until [`Host::reading`] says so; `listen_inbound` says when to look, and also when the connection is to be closed.

mod dialing;
mod frame;
mod inbound;
mod outbox;
mod stage;
mod tally;
mod transfers;
mod world;

pub use dialing::LinkState;
pub use frame::{BadFrame, FRAME_BYTES_MAX};
pub use inbound::{Flow, INBOUNDS_LEN_MAX, InboundId, NotAccepted, Reading};
pub use outbox::{BULK_BYTES_MAX, URGENT_BYTES_MAX};
pub use tally::{LinkCounts, LinkTally};
pub use transfers::SNAPSHOTS_SENT_MAX;

use crate::{
    Host, Limits,
    disk::{DiskJob, SnapshotDone},
    sessions::lock,
};
use base::{Instant, LogIndex, NodeId, Now, Rng};
use bytes::Bytes;
use cluster::{Address, Introduction, Secret, TokenId};
use dialing::Dialing;
use frame::Frame;
use inbound::Inbounds;
use node::{Input, Lane, PeerMessage};
use outbox::{Outbox, Overflow, Post};
use stage::Stage;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::Ordering},
};
use transfers::Transfers;

/// One attempt to reach another node, and what came of it. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// Which key both ends prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// The cluster's secret.
    Cluster,
    /// The key of a join token: whoever accepts it answers with the cluster's secret.
    Token(TokenId),
}

/// Something to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// To be named in `link_opened` or `link_closed`.
    pub link: LinkId,
    /// Where.
    pub address: Address,
    /// What to prove.
    pub key: KeyName,
}

/// What follows, for others.
#[derive(Debug)]
enum Effect {
    Tell(Input),
    /// A peer said this, in so many bytes.
    Hear {
        from: NodeId,
        message: PeerMessage,
        bytes: usize,
    },
    Disk(DiskJob),
}

/// All links of a node.
pub(crate) struct Links {
    dialing: Dialing,
    /// Of every link that is up.
    outboxes: BTreeMap<LinkId, Lanes>,
    inbounds: Inbounds,
    transfers: Transfers,
    stage: Option<Stage>,
    last_stage: u64,
    tally: Arc<LinkTally>,
    /// What a node of the cluster gave for a token, until it is in the view.
    welcome: Option<Secret>,
    /// What to prove now, if anything is known.
    key: Option<KeyName>,
    bulk_bytes_max: usize,
    dials: Vec<Dial>,
    hangups: Vec<LinkId>,
    effects: VecDeque<Effect>,
}

#[derive(Debug)]
struct Lanes {
    urgent: Outbox,
    bulk: Outbox,
}

impl Lanes {
    fn of(&mut self, lane: Lane) -> &mut Outbox {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Bulk => &mut self.bulk,
        }
    }
}

impl Links {
    pub(crate) fn new(rng: Rng, limits: &Limits, tally: Arc<LinkTally>) -> Self {
        Self {
            dialing: Dialing::new(rng),
            outboxes: BTreeMap::new(),
            inbounds: Inbounds::default(),
            transfers: Transfers::default(),
            stage: None,
            last_stage: 0,
            tally,
            welcome: None,
            key: None,
            bulk_bytes_max: limits.log_bytes_max.saturating_add(limits.link_bytes_max),
            dials: Vec::new(),
            hangups: Vec::new(),
            effects: VecDeque::new(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        [self.dialing.deadline(), self.transfers.deadline()].into_iter().flatten().min()
    }

    fn wake(&mut self, now: Now) {
        self.expire_views(now);
        self.dial(now, dialing::Input::Wake);
    }

    /// Steps what dials, and carries out what follows.
    fn dial(&mut self, now: Now, input: dialing::Input) {
        self.dialing.step(now, input);
        while let Some(output) = self.dialing.poll() {
            match output {
                dialing::Output::Dial { link, address } => match self.key {
                    Some(key) => self.dials.push(Dial { link, address, key }),
                    None => {
                        let why = "there is neither a secret nor a token to prove".to_owned();
                        self.dialing.step(now, dialing::Input::Closed { link, why });
                    }
                },
                dialing::Output::HangUp(link) => {
                    self.dials.retain(|dial| dial.link != link);
                    self.hangups.push(link);
                }
                dialing::Output::Up { link, address, peer } => {
                    let urgent = Outbox::new(URGENT_BYTES_MAX);
                    let bulk = Outbox::new(self.bulk_bytes_max);
                    self.outboxes.insert(link, Lanes { urgent, bulk });
                    self.effects.push_back(Effect::Tell(Input::PeerUp { address, peer }));
                }
                dialing::Output::Down { link, node } => {
                    self.outboxes.remove(&link);
                    self.effects.push_back(Effect::Tell(Input::PeerDown(node)));
                    self.transfers_end(link);
                }
                dialing::Output::Refused { address, why } => {
                    self.effects.push_back(Effect::Tell(Input::PeerRefused { address, why }));
                }
            }
        }
    }

    /// The node is no more.
    fn end(&mut self) {
        self.dialing.end();
        while let Some(output) = self.dialing.poll() {
            if let dialing::Output::HangUp(link) = output {
                self.hangups.push(link);
            }
        }
        self.dials.clear();
        self.outboxes.clear();
        self.inbounds.end();
        self.transfers = Transfers::default();
        self.stage = None;
    }

    /// What waits on the lanes of the link to a node, in bytes.
    fn waiting(&self, node: NodeId) -> Option<(usize, usize)> {
        let lanes = self.outboxes.get(&self.dialing.link_to(node)?)?;
        Some((lanes.urgent.bytes(), lanes.bulk.bytes()))
    }

    /// Puts something for a node into the outbox of its link. Whether there is room is seen to there: messages may be lost,
    /// so nobody waits for it.
    fn say(&mut self, to: NodeId, lane: Lane, post: Post) -> Result<(), LinkId> {
        let Some(link) = self.dialing.link_to(to) else {
            self.tally.unsent();
            return Ok(());
        };
        self.put(link, lane, post).map_err(|Overflow| link)
    }

    /// Puts a frame into the outbox of a link that is up.
    fn put(&mut self, link: LinkId, lane: Lane, post: Post) -> Result<(), Overflow> {
        let lanes = self.outboxes.get_mut(&link).expect("a link that is up has its outboxes");
        if post.frame.len() > FRAME_BYTES_MAX {
            return Err(Overflow);
        }
        lanes.of(lane).push(post)
    }

    /// Puts a frame into the outbox of a link that is up, or hangs it up.
    fn post(&mut self, now: Now, link: LinkId, lane: Lane, post: Post) -> Result<(), Overflow> {
        self.put(link, lane, post).inspect_err(|Overflow| self.overflow(now, link))
    }

    fn overflow(&mut self, now: Now, link: LinkId) {
        self.tally.overflow();
        let why = "it took too little for too long";
        self.dial(now, dialing::Input::HangUp { link, why });
    }

    fn accept(&mut self, peer: &Introduction, lane: Lane) -> Result<InboundId, NotAccepted> {
        let (id, replaced) = self.inbounds.accept(peer, lane)?;
        // It may have been away for so long that it would be dialed much later.
        self.dialing.expect(&peer.address);
        for former in replaced {
            self.close_inbound(former);
        }
        Ok(id)
    }

    fn close_inbound(&mut self, inbound: InboundId) {
        self.stage_ends(inbound);
        self.inbounds.close(inbound);
    }

    /// Closes the connections of nodes that this one has nothing to do with any more. They dial again, and are told why not.
    fn review_inbounds(&mut self, view: &cluster::View) {
        for inbound in self.inbounds.unwelcome(|peer| view.admits(peer).is_ok()) {
            self.close_inbound(inbound);
        }
    }

    /// Who speaks on an accepted connection.
    fn sender(&self, inbound: InboundId) -> Result<NodeId, BadFrame> {
        Ok(self.inbounds.get(inbound).ok_or(BadFrame::Closed)?.peer.node)
    }
}

/// Whether the engine has to decide about a staged snapshot with this input.
pub(crate) fn offers_snapshot(input: &Input) -> bool {
    matches!(input, Input::Peer { message, .. } if frame::snapshot_index(message).is_some())
}

impl Host {
    /// There is another view of the cluster: not everybody may be welcome any more.
    pub(crate) fn review_inbounds(&self, view: &cluster::View) {
        self.with_links(|links| links.review_inbounds(view));
    }

    /// The addresses that links are wanted to: all of them.
    pub(crate) fn want_links(&self, now: Now, addresses: Vec<Address>) {
        self.with_links(|links| links.dial(now, dialing::Input::Want(addresses)));
    }

    /// Says something to a node, if there is a link.
    pub(crate) fn say(&self, now: Now, to: NodeId, message: &PeerMessage) {
        let post = Post { frame: frame::of_message(message), repeats: frame::repeats(message) };
        let said = lock(&self.links).say(to, message.lane(), post);
        // Nothing else follows from a message: what `with_links` looks at is as it was.
        if let Err(link) = said {
            self.with_links(|links| links.overflow(now, link));
        }
    }

    /// The engine wants a view of the state tables for a peer.
    pub(crate) fn open_snapshot(&self, to: NodeId) {
        self.with_links(|links| links.open_snapshot(to));
    }

    /// The engine has the message for that view.
    pub(crate) fn send_snapshot(&self, to: NodeId, through: LogIndex, message: PeerMessage) {
        self.with_links(|links| links.send_snapshot(to, through, message));
    }

    /// The engine wants the snapshot that was staged no more, or has it in place.
    pub(crate) fn stage_decided(&self) {
        self.with_links(Links::stage_decided);
    }

    /// What came of disk jobs for snapshots.
    pub(crate) fn snapshot_done(&self, now: Now, done: SnapshotDone) {
        self.with_links(|links| match done {
            SnapshotDone::Opened(id, through) => links.snapshot_opened(now, id, through),
            SnapshotDone::Read(id, piece) => links.piece_read(now, id, piece),
            SnapshotDone::Lost(id) => links.transfer_failed(id),
            SnapshotDone::Staged(id, is_last) => links.staged(id, is_last),
            SnapshotDone::StageLost(id, _) => links.stage_lost(id),
        });
    }

    /// What waits on the lanes of the link to a node, urgent and bulk, in bytes; `None` without a link.
    pub(crate) fn link_bytes(&self, node: NodeId) -> Option<(usize, usize)> {
        lock(&self.links).waiting(node)
    }

    /// Retries what is due.
    pub(crate) fn wake_links(&self, now: Now) {
        self.with_links(|links| links.wake(now));
    }

    /// A frame came on an accepted connection.
    fn received(&self, now: Now, inbound: InboundId, frame: Bytes) -> Result<(), BadFrame> {
        let bytes = frame.len();
        match frame::decode(&frame)? {
            Frame::Message(message) => {
                // Nothing else follows from it: what `with_links` looks at is as it was.
                let links = lock(&self.links);
                let from = links.sender(inbound)?;
                lock(&self.lanes).push_peer(Input::Peer { from, message }, bytes);
                Ok(())
            }
            Frame::Piece { through, number, piece } => self.with_links(|links| {
                let from = links.sender(inbound)?;
                links.piece_came(now, (inbound, from), (through, number), piece)
            }),
            Frame::End { through, pieces, message } => self.with_links(|links| {
                links.sender(inbound)?;
                links.end_came(inbound, (through, pieces), message, bytes)
            }),
        }
    }

    /// The lane of what peers say has emptied: whoever waited reads on.
    pub(crate) fn resume_inbounds(&self) {
        if self.inbounds_paused.load(Ordering::Relaxed) && !lock(&self.lanes).peers_crowded() {
            self.inbounds_paused.store(false, Ordering::Relaxed);
            lock(&self.links).inbounds.resume();
        }
    }

    /// Works on the links, and hands on what follows, in its order.
    fn with_links<T>(&self, work: impl FnOnce(&mut Links) -> T) -> T {
        let mut links = lock(&self.links);
        links.key = self.dial_key(&links);
        let result = work(&mut links);
        while let Some(effect) = links.effects.pop_front() {
            match effect {
                Effect::Tell(input) => self.push_input(input),
                Effect::Hear { from, message, bytes } => {
                    lock(&self.lanes).push_peer(Input::Peer { from, message }, bytes);
                }
                Effect::Disk(job) => self.push_disk_job(job),
            }
        }
        self.set_deadline(|timers| &mut timers.links, links.deadline());
        let asked = !links.dials.is_empty() || !links.hangups.is_empty();
        drop(links);
        if asked {
            self.link_signal.raise();
        }
        result
    }

    /// What to prove to others.
    fn dial_key(&self, links: &Links) -> Option<KeyName> {
        let secret = self.views.cluster().is_some_and(|view| view.secret.is_some());
        if secret || links.welcome.is_some() {
            return Some(KeyName::Cluster);
        }
        self.settings.cluster.token.as_ref().map(|token| KeyName::Token(token.id))
    }
}

#[cfg(test)]
mod tests;
