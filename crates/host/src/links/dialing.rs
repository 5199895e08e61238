//! Which addresses are dialed, when, and which link leads to which node: a state machine with the three verbs.
//!
//! An address is wanted or not; the node says which are. A wanted one is dialed until a node answers there, and again
//! whenever that link is gone, each time after a longer while, up to a limit, and never at the same moment as others do.
//! Where this node itself answers, or one of another cluster, it waits long.
//!
//! There is one link to a node. Another address that leads to the same node is served by that link: it is dialed when the
//! link is gone. A node that came back in another life takes the place of the one before.
//!
//! Invariants
//!
//! * a node is said to be up once, and down once before it is up again.
//! * links = {dialing} ∪ {up}; every other link is hung up and forgotten.

use crate::links::LinkId;
use base::{Duration, Instant, NodeId, Now, Rng};
use cluster::{Address, Introduction, Refusal};
use std::collections::{BTreeMap, VecDeque};

/// How long after the first failure an address is dialed again; it doubles.
pub(crate) const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// How long at most.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A link that was up for so long forgives the failures before it.
const STAYED_UP: Duration = Duration::from_secs(5);
/// How long an address is left alone at which nobody is whom this node may talk to.
pub(crate) const REFUSED_WAIT: Duration = Duration::from_secs(30);

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The addresses to have links to: all of them.
    Want(Vec<Address>),
    /// Somebody answered, proved the key and may be talked to.
    Opened { link: LinkId, peer: Introduction },
    /// Whoever answered may not be talked to.
    Refused { link: LinkId, why: Refusal },
    /// There is a reason to dial anew at once.
    Redial { link: LinkId },
    /// The link is gone, or nobody answered.
    Closed { link: LinkId, why: String },
    /// It is to be closed from this side.
    HangUp { link: LinkId, why: &'static str },
    /// The deadline has come.
    Wake,
}

/// What follows.
#[derive(Debug)]
pub(crate) enum Output {
    Dial {
        link: LinkId,
        address: Address,
    },
    /// The link is forgotten here; the world may have something to close.
    HangUp(LinkId),
    Up {
        link: LinkId,
        address: Address,
        peer: Introduction,
    },
    Down {
        link: LinkId,
        node: NodeId,
    },
    /// This node, or the other one, wants no link there.
    Refused {
        address: Address,
        why: Refusal,
    },
}

#[derive(Debug)]
struct Target {
    state: State,
    /// Since somebody answered for long enough.
    failures: u32,
    /// Why it is not up, in words.
    why: Option<String>,
}

#[derive(Debug)]
enum State {
    Waiting {
        until: Instant,
    },
    Dialing(LinkId),
    Up(Up),
    /// By the link to this node, which another address led to.
    Served(NodeId),
}

#[derive(Debug)]
struct Up {
    link: LinkId,
    peer: Introduction,
    since: Instant,
}

/// How it stands with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Where.
    pub address: Address,
    /// The node that a link leads to, from this address or another.
    pub node: Option<NodeId>,
    /// The link, if it was dialed here.
    pub link: Option<LinkId>,
    /// Attempts in a row that led to nothing.
    pub failures: u32,
    /// Why the last one did not.
    pub why: Option<String>,
}

/// The addresses that are wanted and the links to them.
#[derive(Debug)]
pub(crate) struct Dialing {
    rng: Rng,
    last: u64,
    targets: BTreeMap<Address, Target>,
    /// Of every link that is dialing or up.
    links: BTreeMap<LinkId, Address>,
    peers: BTreeMap<NodeId, LinkId>,
    outputs: VecDeque<Output>,
}

impl Dialing {
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            rng,
            last: 0,
            targets: BTreeMap::new(),
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    pub(crate) fn step(&mut self, now: Now, input: Input) {
        let now = now.instant;
        match input {
            Input::Want(addresses) => self.want(now, addresses),
            Input::Opened { link, peer } => self.opened(now, link, peer),
            Input::Refused { link, why } => {
                self.outputs.push_back(Output::HangUp(link));
                if let Some(address) = self.links.get(&link).cloned() {
                    self.outputs.push_back(Output::Refused { address, why });
                }
                self.gone(now, link, format!("refused: {why:?}"), Again::Late);
            }
            Input::Redial { link } => {
                self.outputs.push_back(Output::HangUp(link));
                self.gone(now, link, String::new(), Again::AtOnce);
            }
            Input::Closed { link, why } => self.gone(now, link, why, Again::AfterBackoff),
            Input::HangUp { link, why } => {
                self.outputs.push_back(Output::HangUp(link));
                self.gone(now, link, why.to_owned(), Again::AfterBackoff);
            }
            Input::Wake => {}
        }
        self.dial_due(now);
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waiting = self.targets.values().filter_map(|target| match target.state {
            State::Waiting { until } => Some(until),
            State::Dialing(_) | State::Up(_) | State::Served(_) => None,
        });
        waiting.min()
    }

    /// Somebody who says to be reached at this address is there: it is dialed as soon as the deadline says so, which is now.
    pub(crate) fn expect(&mut self, address: &Address) {
        if let Some(target) = self.targets.get_mut(address)
            && let State::Waiting { until } = &mut target.state
        {
            *until = Instant::START;
            target.failures = 0;
        }
    }

    /// Hangs everything up and wants nothing.
    pub(crate) fn end(&mut self) {
        let links = std::mem::take(&mut self.links);
        self.outputs.extend(links.into_keys().map(Output::HangUp));
        self.targets.clear();
        self.peers.clear();
    }

    /// The link to a node.
    pub(crate) fn link_to(&self, node: NodeId) -> Option<LinkId> {
        self.peers.get(&node).copied()
    }

    /// How it stands with every wanted address.
    pub(crate) fn states(&self) -> Vec<LinkState> {
        let states = self.targets.iter().map(|(address, target)| {
            let (node, link) = match &target.state {
                State::Waiting { .. } => (None, None),
                State::Dialing(link) => (None, Some(*link)),
                State::Up(up) => (Some(up.peer.node), Some(up.link)),
                State::Served(node) => (Some(*node), None),
            };
            let address = address.clone();
            LinkState { address, node, link, failures: target.failures, why: target.why.clone() }
        });
        states.collect()
    }

    fn want(&mut self, now: Instant, addresses: Vec<Address>) {
        let unwanted: Vec<Address> =
            self.targets.keys().filter(|address| !addresses.contains(address)).cloned().collect();
        for address in addresses {
            let serving = self.ups().find(|up| up.peer.address == address).map(|up| up.peer.node);
            self.targets.entry(address).or_insert_with(|| Target {
                state: serving.map_or(State::Waiting { until: now }, State::Served),
                failures: 0,
                why: None,
            });
        }
        for address in unwanted {
            let target = self.targets.remove(&address).expect("just listed");
            match target.state {
                State::Waiting { .. } | State::Served(_) => {}
                State::Dialing(link) => {
                    self.links.remove(&link);
                    self.outputs.push_back(Output::HangUp(link));
                }
                State::Up(up) => self.move_link(now, up),
            }
        }
    }

    /// The address that led to a link is wanted no more. Another one that leads to the same node keeps it.
    fn move_link(&mut self, now: Instant, up: Up) {
        let node = up.peer.node;
        let heir = self
            .targets
            .iter_mut()
            .find(|(_, target)| matches!(target.state, State::Served(served) if served == node));
        if let Some((address, target)) = heir {
            self.links.insert(up.link, address.clone());
            target.state = State::Up(up);
        } else {
            self.links.remove(&up.link);
            self.outputs.push_back(Output::HangUp(up.link));
            self.down(now, up.link, node);
        }
    }

    fn opened(&mut self, now: Instant, link: LinkId, peer: Introduction) {
        let Some(address) = self.links.get(&link).cloned() else {
            return self.outputs.push_back(Output::HangUp(link)); // no longer wanted
        };
        if !matches!(self.target(&address).state, State::Dialing(_)) {
            return; // said twice
        }
        let node = peer.node;
        let before = self.ups().find(|up| up.peer.node == node).map(|up| (up.link, up.peer.life));
        if let Some((other, life)) = before {
            if life >= peer.life {
                self.links.remove(&link);
                self.target(&address).state = State::Served(node);
                return self.outputs.push_back(Output::HangUp(link));
            }
            // It was started anew, and the link to its former life has not broken yet.
            self.outputs.push_back(Output::HangUp(other));
            self.gone(now, other, "it was started anew".to_owned(), Again::AfterBackoff);
        }
        self.peers.insert(node, link);
        let up = Up { link, peer: peer.clone(), since: now };
        let target = self.target(&address);
        target.state = State::Up(up);
        target.why = None;
        let alike = |state: &State| matches!(state, State::Waiting { .. });
        let advertised = self.targets.get_mut(&peer.address);
        if let Some(target) = advertised.filter(|target| alike(&target.state)) {
            target.state = State::Served(node);
        }
        self.outputs.push_back(Output::Up { link, address, peer });
    }

    /// A link is no more.
    fn gone(&mut self, now: Instant, link: LinkId, why: String, again: Again) {
        let Some(address) = self.links.remove(&link) else { return };
        let target = self.targets.get_mut(&address).expect("links lead to wanted addresses");
        let mut lost = None;
        if let State::Up(up) = &target.state {
            lost = Some(up.peer.node);
            if now.since(up.since) >= STAYED_UP {
                target.failures = 0;
            }
        }
        let wait = match again {
            Again::AtOnce => Duration::ZERO,
            Again::AfterBackoff => {
                target.failures = target.failures.saturating_add(1);
                jittered(backoff(target.failures), &mut self.rng)
            }
            Again::Late => jittered(REFUSED_WAIT, &mut self.rng),
        };
        target.state = State::Waiting { until: now.after(wait) };
        target.why = Some(why);
        if let Some(node) = lost {
            self.down(now, link, node);
        }
    }

    /// The link to a node is lost: whatever else leads to it is dialed.
    fn down(&mut self, now: Instant, link: LinkId, node: NodeId) {
        self.peers.remove(&node);
        self.outputs.push_back(Output::Down { link, node });
        for target in self.targets.values_mut() {
            if matches!(target.state, State::Served(served) if served == node) {
                target.state = State::Waiting { until: now };
            }
        }
    }

    fn dial_due(&mut self, now: Instant) {
        for (address, target) in &mut self.targets {
            if matches!(target.state, State::Waiting { until } if until <= now) {
                self.last += 1;
                let link = LinkId(self.last);
                target.state = State::Dialing(link);
                self.links.insert(link, address.clone());
                self.outputs.push_back(Output::Dial { link, address: address.clone() });
            }
        }
    }

    fn ups(&self) -> impl Iterator<Item = &Up> {
        self.targets.values().filter_map(|target| match &target.state {
            State::Up(up) => Some(up),
            State::Waiting { .. } | State::Dialing(_) | State::Served(_) => None,
        })
    }

    fn target(&mut self, address: &Address) -> &mut Target {
        self.targets.get_mut(address).expect("links lead to wanted addresses")
    }
}

/// When an address is dialed again.
#[derive(Clone, Copy, Debug)]
enum Again {
    AtOnce,
    AfterBackoff,
    Late,
}

/// How long to wait after so many failures.
fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX)
}

/// Between half of it and all of it, so that nodes that lost each other do not dial in step.
fn jittered(wait: Duration, rng: &mut Rng) -> Duration {
    let half = wait / 2;
    let ms = u64::try_from(half.as_millis()).expect("waits are seconds");
    half + Duration::from_millis(rng.below(ms + 1))
}

#[cfg(test)]
mod tests;
