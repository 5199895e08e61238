//! The three verbs' two enums.

use crate::{
    Check, ClusterNames, Command, HintPiece, PeerMessage, Reply, Request, ServiceKey, ServiceView,
    Switches,
};
use base::{ConnectionId, HybridTime, Instant, NodeId, RequestId, Row};
use std::sync::Arc;

/// What comes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A connection opened: it may own instances and subscribe from now on.
    Opened(ConnectionId),
    /// It closed: what it owns ends now, its subscriptions too.
    Closed(ConnectionId),
    /// It was asked to go to another node: when it closes, its client is on the way there.
    Moving(ConnectionId),
    /// Something arrived on it (told at most once a second).
    Heard(ConnectionId),
    /// The subscriber has this version; nothing is known of it otherwise.
    Acknowledged {
        /// The subscriber.
        connection: ConnectionId,
        /// Which subscription.
        service: ServiceKey,
        /// The `ServiceView::version` it confirmed.
        version: u64,
    },
    /// A question, to be answered by exactly one `Output::Reply` with the same `from` and `id`, or by one
    /// `Output::Propose` whose outcome the node reports to the one who asked.
    Request {
        /// Who asks.
        from: ConnectionId,
        /// Unique within that connection.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// What the node listed before it stopped (the bytes of each `HintPiece` that is left of an earlier life, oldest
    /// first): these records are orphans until their clients are heard again. Pieces that do not read are ignored: a hint
    /// is only a hint.
    Hint(Vec<Vec<u8>>),
    /// A piece of the state tables, in any order; only at start or while a snapshot is installed.
    Restore(Vec<Row>),
    /// Forget what is agreed: a snapshot follows as `Restore`. Readers keep the views they have until `Restored`.
    Reset,
    /// The last piece has come. The first `apply` after a restore implies it.
    Restored,
    /// There is a link to this node now; a new one, if there was one before.
    PeerUp(NodeId),
    /// The link is broken.
    PeerDown(NodeId),
    /// Another node said this, on the link.
    Peer {
        /// Which node.
        from: NodeId,
        /// What it said.
        message: PeerMessage,
    },
    /// This node is alive, and was started at `life` by its hybrid clock.
    NodeAlive {
        /// Which node.
        node: NodeId,
        /// When it was started.
        life: HybridTime,
    },
    /// This node is heard no more: what it owns is listed for a while only.
    NodeGone {
        /// Which node.
        node: NodeId,
        /// When anyone last heard it.
        heard: Instant,
    },
    /// What came of an [`Output::Check`].
    Checked {
        /// Which.
        id: u64,
        /// Whether it answered as it should, in time.
        healthy: bool,
    },
    /// The node is about to stop: hand over what it owns, write the hint to its end, then `Output::Left`.
    Leave,
    /// The deadline has come.
    Wake,
}

/// What goes out, in this order and at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The new view of a service; to be swapped in before anything that follows is done.
    Publish(Arc<ServiceView>),
    /// The service is forgotten: its name leaves the lists.
    Retire(ServiceKey),
    /// Send the view to a subscriber. The session keeps one slot per subscription with the newest unsent view.
    Push {
        /// The subscriber.
        to: ConnectionId,
        /// What it wants to see of the service.
        clusters: ClusterNames,
        /// The newest view.
        view: Arc<ServiceView>,
    },
    /// The switches, for readers; to be swapped in before anything that follows is done.
    Switches(Switches),
    /// This service came into the lists or left them: whoever watches it is to look again.
    Watched {
        /// Who watches it.
        to: ConnectionId,
        /// Which.
        service: ServiceKey,
    },
    /// The answer to `Input::Request`.
    Reply {
        /// Who asked.
        to: ConnectionId,
        /// What they called it.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// Bring this command into the log; tell the one who asked what came of it.
    Propose {
        /// Who asked.
        to: ConnectionId,
        /// What they called it.
        id: RequestId,
        /// The command.
        command: Command,
    },
    /// Bring this command into the log; nobody waits for it, and if it is lost it is proposed again later.
    Tidy(Command),
    /// Say this to a peer, after all that was said to it before. Nothing waits for it.
    Peer {
        /// Which node.
        to: NodeId,
        /// What.
        message: PeerMessage,
    },
    /// Find out how an instance is, without waiting for it: `Input::Checked` says so, once.
    Check(Check),
    /// Leave this on disk, without waiting for it: after a restart it comes back as `Input::Hint`.
    Hint(HintPiece),
    /// All that was to be done after `Input::Leave` is done, or took too long.
    Left,
    /// The state cannot be trusted (a row does not read): the node must stop, for this reason.
    Halt(String),
    /// For the journal.
    Event(journal::Kind, journal::Subject),
}
