//! What the world asks and tells of links: see [`crate::links`] for the order.

use super::{
    BadFrame, Dial, Flow, InboundId, KeyName, LinkId, LinkState, Links, NotAccepted, Reading,
    dialing, frame,
};
use crate::{Host, sessions::lock};
use base::Now;
use bytes::Bytes;
use cluster::{Introduction, Refusal, Secret};
use node::{Input, Lane};
use std::{
    sync::{Arc, atomic::Ordering},
    task::Waker,
};

impl Host {
    /// What is to be connected to since the last call.
    #[must_use]
    pub fn take_dials(&self) -> Vec<Dial> {
        std::mem::take(&mut lock(&self.links).dials)
    }

    /// The links that are to be closed since the last call. They are forgotten here; the world may not have begun them.
    #[must_use]
    pub fn take_hangups(&self) -> Vec<LinkId> {
        std::mem::take(&mut lock(&self.links).hangups)
    }

    /// What this node says of itself on every link; `None` before it has read its disk.
    #[must_use]
    pub fn introduction(&self) -> Option<Introduction> {
        Some(self.views.cluster()?.me.clone())
    }

    /// Who belongs to the cluster; `None` before the node has read its disk. `link_signal` says when it changed.
    #[must_use]
    pub fn cluster(&self) -> Option<Arc<cluster::View>> {
        self.views.cluster()
    }

    /// The key of a name, for the proof of either side. `None`: there is no such key, so nobody can prove it.
    #[must_use]
    pub fn peer_key(&self, now: Now, name: KeyName) -> Option<Secret> {
        let view = self.views.cluster();
        match name {
            KeyName::Cluster => {
                let known = view.and_then(|view| view.secret.clone());
                known.or_else(|| lock(&self.links).welcome.clone())
            }
            KeyName::Token(id) => {
                let given = self.settings.cluster.token.as_ref().filter(|token| token.id == id);
                given
                    .map(|token| token.key.clone())
                    .or_else(|| view.and_then(|view| view.token_key(id, now.unix_ms).cloned()))
            }
        }
    }

    /// A link that was asked for is up: on both lanes both ends proved the key. `welcome` is the cluster's secret, if a
    /// token was proven; the link is then hung up and dialed anew with it.
    pub fn link_opened(&self, now: Now, link: LinkId, peer: Introduction, welcome: Option<Secret>) {
        let Some(view) = self.views.cluster() else {
            return self.link_closed(now, link, "this node is not there yet".to_owned());
        };
        let input = match (view.admits(&peer), welcome) {
            (Err(why), _) => dialing::Input::Refused { link, why },
            (Ok(()), Some(secret)) => {
                lock(&self.links).welcome = Some(secret.clone());
                self.push_input(Input::Welcome(secret));
                dialing::Input::Redial { link }
            }
            (Ok(()), None) => dialing::Input::Opened { link, peer },
        };
        self.with_links(|links| links.dial(now, input));
        self.run(now, &[]);
    }

    /// Whoever answered does not want this node.
    pub fn link_refused(&self, now: Now, link: LinkId, why: Refusal) {
        self.with_links(|links| links.dial(now, dialing::Input::Refused { link, why }));
        self.run(now, &[]);
    }

    /// A link is gone, or never came up.
    pub fn link_closed(&self, now: Now, link: LinkId, reason: String) {
        let input = dialing::Input::Closed { link, why: reason };
        self.with_links(|links| links.dial(now, input));
        self.run(now, &[]);
    }

    /// The next frame to write to a lane of a link.
    #[must_use]
    pub fn take_frame(&self, link: LinkId, lane: Lane) -> Option<Bytes> {
        let (post, transfers) = {
            let mut links = lock(&self.links);
            let post = links.outboxes.get_mut(&link)?.of(lane).pop()?;
            (post, !links.transfers.is_empty())
        };
        if transfers {
            self.with_links(Links::read_pieces);
        }
        // Not under the lock: it takes as long as a message is long.
        Some(if post.repeats { frame::compressed(post.frame) } else { post.frame })
    }

    /// Woken when `take_frame` has something, from now on. Look once more after this.
    pub fn listen_link(&self, link: LinkId, lane: Lane, waker: Waker) {
        if let Some(lanes) = lock(&self.links).outboxes.get_mut(&link) {
            lanes.of(lane).signal.listen(waker);
        }
    }

    /// Takes in a connection on which the other end proved a key and said who it is. One of the same node and lane that was
    /// there before is closed.
    ///
    /// # Errors
    /// Why not: the connection is then to be closed.
    pub fn accept(&self, peer: &Introduction, lane: Lane) -> Result<InboundId, NotAccepted> {
        let view = self.views.cluster().filter(|_| self.halted().is_none());
        let view = view.ok_or(NotAccepted::NotRunning)?;
        let accepted = view
            .admits(peer)
            .map_err(NotAccepted::Refused)
            .and_then(|()| self.with_links(|links| links.accept(peer, lane)));
        if accepted.is_err() {
            self.tally.links.not_accepted();
        }
        accepted
    }

    /// A frame came on an accepted connection. What follows is carried through before this returns.
    ///
    /// # Errors
    /// The connection is to be closed: the frame is not what a node of ours sends. Nothing else changed.
    pub fn peer_frame(&self, now: Now, inbound: InboundId, frame: Bytes) -> Result<Flow, BadFrame> {
        if let Err(bad) = self.received(now, inbound, frame) {
            if bad != BadFrame::Closed {
                self.tally.links.bad_frame();
            }
            self.with_links(|links| links.close_inbound(inbound));
            return Err(bad);
        }
        self.run(now, &[]);
        Ok(if self.reading(inbound) == Reading::Pause { Flow::Pause } else { Flow::Go })
    }

    /// An accepted connection is gone.
    pub fn inbound_closed(&self, now: Now, inbound: InboundId) {
        self.with_links(|links| links.close_inbound(inbound));
        self.run(now, &[]);
    }

    /// Whether to read on.
    #[must_use]
    pub fn reading(&self, inbound: InboundId) -> Reading {
        {
            let links = lock(&self.links);
            if links.inbounds.get(inbound).is_none() {
                return Reading::Closed;
            }
            if links.stage_crowded(inbound) {
                return Reading::Pause;
            }
        }
        let is_crowded = || lock(&self.lanes).peers_crowded();
        if !is_crowded() {
            return Reading::Go;
        }
        // Noted before another look: whoever makes room after that finds the note.
        self.inbounds_paused.store(true, Ordering::Relaxed);
        if is_crowded() { Reading::Pause } else { Reading::Go }
    }

    /// Woken when `reading` may have changed, from now on. Look once more after this.
    pub fn listen_inbound(&self, inbound: InboundId, waker: Waker) {
        lock(&self.links).inbounds.listen(inbound, waker);
    }

    /// The node halted: nobody shall wait for it.
    pub(crate) fn end_links(&self) {
        lock(&self.links).end();
        lock(&self.timers).links = None;
        self.link_signal.raise();
    }

    /// How it stands with every address that a link is wanted to.
    #[must_use]
    pub fn link_states(&self) -> Vec<LinkState> {
        lock(&self.links).dialing.states()
    }
}
