//! The plane's state and its three verbs.

use crate::{
    Applied, ClusterId, Command, Error, Formation, Founder, Identity, Input, Introduction, Outcome,
    Output, PROTOCOLS, Reply, Settings, View, Why,
};
use base::{HybridTime, Instant, LogIndex, NodeId, Now, Rng};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// The cluster as one node knows it, and the node's part in it.
#[derive(Debug)]
pub struct Cluster {
    settings: Settings,
    me: Introduction,
    identity: Identity,
    /// The identity that is being written, if any.
    writing: bool,
    restored: bool,
    begun: bool,
    view: Arc<View>,
    outputs: VecDeque<Output>,
}

impl Cluster {
    /// A node with what its disk says of it.
    ///
    /// # Errors
    /// If the settings contradict themselves.
    pub fn new(
        settings: Settings,
        now: Now,
        life: HybridTime,
        mut rng: Rng,
    ) -> Result<Self, Error> {
        settings.check()?;
        let _ = now;
        let mut identity = settings.identity.clone();
        let mut outputs = VecDeque::new();
        let mut writing = false;
        if identity.formation == Formation::Fresh
            && settings.seeds.is_empty()
            && settings.expect.is_none_or(|expect| expect == 1)
        {
            let address = Some(settings.advertise.clone());
            let founders = vec![Founder { node: identity.node, address }];
            identity.formation =
                Formation::Formed { cluster: ClusterId::random(&mut rng), founders };
            outputs.push_back(Output::KeepIdentity(identity.clone()));
            writing = true;
        }
        let me = Introduction {
            node: identity.node,
            life,
            cluster: settings.identity.formation.cluster(),
            address: settings.advertise.clone(),
            protocols: PROTOCOLS,
        };
        let view = Arc::new(View {
            me: me.clone(),
            formation: settings.identity.formation.clone(),
            members: Vec::new(),
            secret: settings.secret.clone().or_else(|| identity.secret.clone()),
            tokens: BTreeMap::new(),
            removed: BTreeSet::new(),
            twins: BTreeMap::new(),
        });
        outputs.push_back(Output::Publish(view.clone()));
        Ok(Self { settings, me, identity, writing, restored: false, begun: false, view, outputs })
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, input: Input) {
        let _ = now;
        match input {
            Input::Restored => {
                self.restored = true;
                self.begin();
            }
            Input::IdentityKept => {
                self.writing = false;
                self.me.cluster = self.identity.formation.cluster();
                let mut view = (*self.view).clone();
                view.me = self.me.clone();
                view.formation = self.identity.formation.clone();
                self.view = Arc::new(view);
                self.outputs.push_back(Output::Publish(self.view.clone()));
                self.begin();
            }
            Input::Request { from: to, id, request: _ } => {
                let reply = Reply::Refused(Why::NotFormed);
                self.outputs.push_back(Output::Reply { to, id, reply });
            }
            Input::PeerUp { address: _, peer } => {
                self.outputs.push_back(Output::NodeAlive { node: peer.node, life: peer.life });
            }
            Input::PeerDown(_)
            | Input::PeerRefused { .. }
            | Input::Peer { .. }
            | Input::Heard(_)
            | Input::Welcome(_)
            | Input::Leader { .. }
            | Input::Members { .. }
            | Input::Applied(_)
            | Input::Restore(_)
            | Input::Reset
            | Input::Wake => {}
            Input::Leave => self.outputs.push_back(Output::Left),
        }
    }

    /// The next thing to do, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `Input::Wake` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Applies a command: a pure function of what is agreed and of the command.
    pub fn apply(&mut self, index: LogIndex, command: &Command) -> Applied {
        let _ = (index, command);
        Applied { outcome: Outcome::Done, rows: Vec::new() }
    }

    /// What this node says of itself on every link.
    #[must_use]
    pub fn introduction(&self) -> &Introduction {
        &self.me
    }

    /// What readers see.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    fn begin(&mut self) {
        if self.begun || !self.restored || self.writing {
            return;
        }
        let voters: Vec<NodeId> = match &self.identity.formation {
            Formation::Formed { founders, .. } => founders.iter().map(|f| f.node).collect(),
            Formation::Joining { .. } => Vec::new(),
            Formation::Fresh | Formation::Adopted { .. } => return,
        };
        self.begun = true;
        self.outputs.push_back(Output::Begin { voters });
        let _ = &self.settings;
    }
}
