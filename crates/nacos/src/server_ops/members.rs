//! The members of the cluster as Nacos's clients and consoles are told of them.

use crate::{NodeState, Place, Views, operation::Context};
use base::NodeId;
use cluster::State;

/// A member as it is shown.
pub(crate) struct Member {
    /// Where clients reach it, if it told.
    pub(crate) api: Option<Place>,
    /// Where other nodes reach it, if that is known.
    pub(crate) peer: Option<Place>,
    /// Its name, for one of which no address is known.
    pub(crate) name: String,
    /// In Nacos's words.
    pub(crate) state: &'static str,
    /// It takes part in decisions.
    pub(crate) votes: bool,
    /// It leads.
    pub(crate) leads: bool,
    /// This node is it, or hears it all the time.
    pub(crate) heard: bool,
    pub(crate) is_self: bool,
}

impl Member {
    /// `ip` as Nacos shows it; where only other nodes reach it, theirs.
    pub(crate) fn host(&self) -> &str {
        let place = self.api.as_ref().or(self.peer.as_ref());
        place.map_or(&self.name, |place| &place.host)
    }

    /// The port for clients; 0 where it is not known.
    pub(crate) fn port(&self) -> u16 {
        self.api.as_ref().map_or(0, |place| place.port)
    }

    /// Both in one.
    pub(crate) fn address(&self) -> String {
        match &self.api {
            Some(place) => place.to_string(),
            None => format!("{}:0", self.host()),
        }
    }

    /// Its line in the list of servers.
    pub(crate) fn line(&self) -> Option<String> {
        self.api.as_ref().map(|place| format!("{place}\n"))
    }

    /// Whether a client should try it.
    pub(crate) fn may_serve(&self) -> bool {
        ["UP", "SUSPICIOUS"].contains(&self.state) || self.is_self
    }
}

/// The state of this node in Nacos's words.
pub(crate) fn own_state(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "STARTING",
        NodeState::Ready => "UP",
        NodeState::Draining => "DOWN",
    }
}

/// All members but those that left, by their ids; at least this node.
pub(crate) fn listed(context: &Context<'_>) -> Vec<Member> {
    let local = context.facts.local;
    let here = || Place { host: local.ip().to_canonical().to_string(), port: local.port() };
    let own_state = own_state(context.views.state());
    let view = context.views.cluster();
    let members = view.iter().flat_map(|view| &view.members);
    let mut listed: Vec<Member> = members
        .filter(|member| member.is_self || member.state != State::Left)
        .map(|member| {
            let place = |address: &cluster::Address| Place::read(address.as_str());
            let api = member.api.as_ref().and_then(place);
            Member {
                api: if member.is_self { api.or_else(|| Some(here())) } else { api },
                peer: member.peer.as_ref().and_then(place),
                name: member.node.to_string(),
                state: if member.is_self { own_state } else { state(member.state) },
                votes: member.role == cluster::Role::Voter,
                leads: member.is_leader,
                heard: member.is_self || member.is_linked,
                is_self: member.is_self,
            }
        })
        .collect();
    if !listed.iter().any(|member| member.is_self) {
        let (api, name) = (Some(here()), context.facts.connection.node.to_string());
        let (state, peer) = (own_state, None);
        let own = Member {
            api,
            peer,
            name,
            state,
            votes: false,
            leads: false,
            heard: true,
            is_self: true,
        };
        listed.insert(0, own);
    }
    listed
}

/// Where a node serves clients, in the words of the list; of one that is not in it, its name.
pub(crate) fn address_of(members: &[Member], node: NodeId) -> String {
    let name = node.to_string();
    members.iter().find(|member| member.name == name).map_or(name, Member::address)
}

fn state(state: State) -> &'static str {
    match state {
        State::Alive => "UP",
        State::Suspect => "SUSPICIOUS",
        State::Down | State::Left => "DOWN",
    }
}

/// A member that a client of this node can go to: the living ones in turn.
pub(crate) fn another(views: &impl Views, turn: u64) -> Option<Place> {
    let view = views.cluster()?;
    let living: Vec<Place> = view
        .members
        .iter()
        .filter(|member| !member.is_self && member.state == State::Alive)
        .filter_map(|member| Place::read(member.api.as_ref()?.as_str()))
        .collect();
    let at = turn.checked_rem(living.len() as u64)?;
    living.into_iter().nth(usize::try_from(at).ok()?)
}
