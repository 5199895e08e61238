//! Snapshots for peers. The disk reads the next piece when the one before has left: a slow link costs a view of the tables,
//! not memory.

use super::{Effect, FRAME_BYTES_MAX, LinkId, Links, frame, outbox::Post};
use crate::disk::{DiskJob, SnapshotJob, TransferId};
use base::{Duration, Instant, LogIndex, NodeId, Now};
use node::{Input, Lane, PeerMessage};
use std::collections::BTreeMap;

/// How many snapshots are sent at once. Another one is refused; the engine asks again.
pub const SNAPSHOTS_SENT_MAX: usize = 2;
/// The next piece is read when less than this waits on the bulk lane, in bytes.
const ROOM_BYTES: usize = 1 << 20;
/// How long a view is kept for which the engine has no use yet.
const UNUSED_VIEW_TIMEOUT: Duration = Duration::from_secs(60);

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    last: u64,
    under_way: BTreeMap<TransferId, Transfer>,
}

#[derive(Debug)]
struct Transfer {
    to: NodeId,
    link: LinkId,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The disk was asked for a view.
    Opening,
    /// The engine knows of the view.
    Open { until: Instant },
    /// Its pieces are on their way.
    Sending { through: LogIndex, message: Box<PeerMessage>, sent: u64, is_reading: bool },
}

impl Transfers {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let open = self.under_way.values().filter_map(|transfer| match transfer.state {
            State::Open { until } => Some(until),
            State::Opening | State::Sending { .. } => None,
        });
        open.min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    fn to(&self, node: NodeId) -> Option<TransferId> {
        self.under_way.iter().find(|(_, transfer)| transfer.to == node).map(|(id, _)| *id)
    }
}

impl Links {
    /// The engine wants to send a snapshot to this node. What it had begun before is over.
    pub(super) fn open_snapshot(&mut self, to: NodeId) {
        if let Some(former) = self.transfers.to(to) {
            self.transfers.under_way.remove(&former);
            self.effects.push_back(drop_view(former));
        }
        let link = self.dialing.link_to(to);
        match link.filter(|_| self.transfers.under_way.len() < SNAPSHOTS_SENT_MAX) {
            Some(link) => {
                self.transfers.last += 1;
                let id = TransferId(self.transfers.last);
                self.transfers.under_way.insert(id, Transfer { to, link, state: State::Opening });
                self.effects.push_back(Effect::Disk(DiskJob::Snapshot(SnapshotJob::Open(id))));
            }
            None => {
                let refused = Input::SnapshotOpened { to, through: None };
                self.effects.push_back(Effect::Tell(refused));
            }
        }
    }

    /// The disk has opened a view, or not.
    pub(super) fn snapshot_opened(&mut self, now: Now, id: TransferId, through: Option<LogIndex>) {
        let Some(transfer) = self.transfers.under_way.get_mut(&id) else {
            return self.effects.push_back(drop_view(id));
        };
        let to = transfer.to;
        transfer.state = State::Open { until: now.instant.after(UNUSED_VIEW_TIMEOUT) };
        if through.is_none() {
            self.transfers.under_way.remove(&id);
        }
        self.effects.push_back(Effect::Tell(Input::SnapshotOpened { to, through }));
    }

    /// The engine has made the message that the pieces of the view belong to.
    pub(super) fn send_snapshot(&mut self, to: NodeId, through: LogIndex, message: PeerMessage) {
        let found = self.transfers.to(to).and_then(|id| self.transfers.under_way.get_mut(&id));
        match found {
            Some(transfer) if matches!(transfer.state, State::Open { .. }) => {
                let message = Box::new(message);
                transfer.state = State::Sending { through, message, sent: 0, is_reading: false };
                self.read_pieces();
            }
            Some(_) | None => {
                self.effects.push_back(Effect::Tell(Input::SnapshotSent { to, ok: false }));
            }
        }
    }

    /// Asks the disk for the next piece wherever there is room for it.
    pub(super) fn read_pieces(&mut self) {
        for (id, transfer) in &mut self.transfers.under_way {
            if let State::Sending { is_reading, .. } = &mut transfer.state
                && !*is_reading
                && self.outboxes.get(&transfer.link).is_some_and(|o| o.bulk.bytes() < ROOM_BYTES)
            {
                *is_reading = true;
                self.effects.push_back(Effect::Disk(DiskJob::Snapshot(SnapshotJob::Read(*id))));
            }
        }
    }

    /// The disk has read a piece, or there is no more.
    pub(super) fn piece_read(&mut self, now: Now, id: TransferId, piece: Option<Vec<u8>>) {
        let Some(transfer) = self.transfers.under_way.get_mut(&id) else { return };
        let State::Sending { through, message, sent, is_reading } = &mut transfer.state else {
            unreachable!("pieces are read for what is being sent");
        };
        let frame = match &piece {
            Some(piece) => frame::of_piece(*through, *sent, piece),
            None => frame::of_end(*through, *sent, message),
        };
        *sent += 1;
        *is_reading = false;
        let (to, link) = (transfer.to, transfer.link);
        if frame.len() > FRAME_BYTES_MAX {
            return self.transfer_failed(id);
        }
        // If there is no room the link is hung up, and with it the transfer has failed.
        if self.post(now, link, Lane::Bulk, Post { frame, repeats: false }).is_err() {
            return;
        }
        if piece.is_none() {
            self.transfers.under_way.remove(&id);
            self.tally.snapshot_sent();
            self.effects.push_back(Effect::Tell(Input::SnapshotSent { to, ok: true }));
        }
        self.read_pieces();
    }

    pub(super) fn transfer_failed(&mut self, id: TransferId) {
        let Some(transfer) = self.transfers.under_way.remove(&id) else { return };
        let to = transfer.to;
        self.tally.snapshot_failed();
        self.effects.push_back(drop_view(id));
        self.effects.push_back(Effect::Tell(match transfer.state {
            State::Opening => Input::SnapshotOpened { to, through: None },
            State::Open { .. } | State::Sending { .. } => Input::SnapshotSent { to, ok: false },
        }));
    }

    /// A link is gone, and what was sent on it.
    pub(super) fn transfers_end(&mut self, link: LinkId) {
        let ended: Vec<TransferId> = self
            .transfers
            .under_way
            .iter()
            .filter(|(_, transfer)| transfer.link == link)
            .map(|(id, _)| *id)
            .collect();
        ended.into_iter().for_each(|id| self.transfer_failed(id));
    }

    pub(super) fn expire_views(&mut self, now: Now) {
        let due = |state: &State| matches!(state, State::Open { until } if *until <= now.instant);
        let unused = self.transfers.under_way.iter().filter(|(_, transfer)| due(&transfer.state));
        let unused: Vec<TransferId> = unused.map(|(id, _)| *id).collect();
        unused.into_iter().for_each(|id| self.transfer_failed(id));
    }
}

fn drop_view(id: TransferId) -> Effect {
    Effect::Disk(DiskJob::Snapshot(SnapshotJob::Drop(id)))
}
