//! What a story needs: clients that do what they are told, and a look at what a machine shows.

use crate::{
    client::Client,
    config_client::{ConfigClient, ConfigHabits},
    naming_client::{NamingClient, NamingHabits},
    network::{NetworkFault, Place},
    servers::Servers,
    world::World,
};
use base::Duration;
use http::{Method, StatusCode};
use std::collections::BTreeSet;
use storage::SimDisk;

/// A machine answers an operator within this.
const ANSWER_LIMIT: Duration = Duration::from_secs(6);

impl World {
    /// Adds a client of the registry that does only what it is told and knows only these machines; its number.
    pub fn add_quiet_client(&mut self, machines: Vec<usize>, services: &[&str]) -> usize {
        let (index, rng) = (self.actors.len(), self.rng.fork());
        let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
        self.services.extend(services.iter().cloned());
        let pause = Duration::from_secs(1);
        let habits = NamingHabits { services, watched: Vec::new(), pause, quiet: true };
        let machine = machines[0];
        let servers = Servers::only(machines);
        let client = NamingClient::new(index, self.now, rng, servers, habits);
        self.add_at(machine, Client::Naming(Box::new(client)))
    }

    /// Adds a client of the config center that knows only these machines; its number.
    pub fn add_config_client_of(&mut self, machines: Vec<usize>, habits: ConfigHabits) -> usize {
        let (index, rng) = (self.actors.len(), self.rng.fork());
        self.keys.extend(habits.keys.iter().cloned());
        let machine = machines[0];
        let servers = Servers::only(machines);
        let client = ConfigClient::new(index, self.now, rng, servers, habits);
        self.add_at(machine, Client::Config(Box::new(client)))
    }

    /// Has a quiet client register an instance of a service, once it is connected.
    pub fn register(&mut self, client: usize, service: &str) {
        self.with_client(client, |client, now| match client {
            Client::Naming(client) => client.register(now, service),
            Client::Beat(_) | Client::Config(_) | Client::Lock(_) => {
                panic!("a client of the registry registers")
            }
        });
    }

    /// Has a quiet client take back all that it offers, if it is connected.
    pub fn deregister(&mut self, client: usize) {
        self.with_client(client, |client, now| match client {
            Client::Naming(client) => client.deregister_all(now),
            Client::Beat(_) | Client::Config(_) | Client::Lock(_) => {
                panic!("a client of the registry deregisters")
            }
        });
    }

    /// Has a quiet client subscribe to a service, once it is connected.
    pub fn subscribe(&mut self, client: usize, service: &str) {
        self.with_client(client, |client, now| match client {
            Client::Naming(client) => client.subscribe(now, service.to_owned()),
            Client::Beat(_) | Client::Config(_) | Client::Lock(_) => {
                panic!("a client of the registry subscribes")
            }
        });
    }

    /// What a machine lists of a service; `None` if it does not answer.
    pub fn listed(&mut self, machine: usize, service: &str) -> Option<BTreeSet<String>> {
        let path = format!(
            "/nacos/v1/ns/instance/list?serviceName=DEFAULT_GROUP@@{service}&healthyOnly=false"
        );
        let answer = self.ask(machine, Method::GET, &path, ANSWER_LIMIT)?;
        if answer.status != StatusCode::OK {
            return None;
        }
        let body = serde_json::from_str(&answer.text).ok()?;
        Some(crate::naming_client::seen(&body)?.addresses)
    }

    /// How many of each machine's instances a subscriber knows.
    #[must_use]
    pub fn known(&self, client: usize, service: &str) -> BTreeSet<String> {
        match &self.actors[client].client {
            Client::Naming(client) => {
                client.known().get(service).map(|seen| seen.addresses.clone()).unwrap_or_default()
            }
            Client::Beat(_) | Client::Config(_) | Client::Lock(_) => BTreeSet::new(),
        }
    }

    /// Machines that a machine believes to be there and alive, itself too.
    #[must_use]
    pub fn alive_at(&self, machine: usize) -> BTreeSet<usize> {
        let view = self.machines[machine].host().and_then(|host| host.probe().cluster);
        let members = view.iter().flat_map(|view| &view.members);
        members
            .filter(|member| member.state == cluster::State::Alive)
            .filter_map(|member| self.machine_of(member.node.0))
            .collect()
    }

    /// In which term a machine is.
    #[must_use]
    pub fn term_of(&self, machine: usize) -> u64 {
        self.machines[machine].host().map_or(0, |host| host.probe().term.0)
    }

    /// How many vote, as a machine knows.
    #[must_use]
    pub fn voters_of(&self, machine: usize) -> usize {
        self.machines[machine].host().map_or(0, |host| host.probe().voters.len())
    }

    /// No byte passes between machines of different groups from now on.
    pub fn split(&mut self, groups: &[&[usize]]) {
        let group = |group: &&[usize]| group.iter().map(|m| Place::Machine(*m)).collect();
        self.inject_network(NetworkFault::Split(groups.iter().map(group).collect()));
    }

    /// No byte passes from one machine to another from now on.
    pub fn cut_way(&mut self, from: usize, to: usize) {
        self.inject_network(NetworkFault::Cut(Place::Machine(from), Place::Machine(to)));
    }

    /// Everything passes again.
    pub fn mend(&mut self) {
        self.inject_network(NetworkFault::Heal);
    }

    /// The machine is started without settings from now on: what it needs to come back it has to have kept.
    pub fn forget_settings(&mut self, machine: usize) {
        self.machines[machine].forget_settings();
    }

    /// The machine is off, and gets an empty disk.
    pub fn replace_disk(&mut self, machine: usize) {
        self.go_down(machine);
        let disk = SimDisk::new(self.rng.fork());
        self.machines[machine].replace_disk(disk);
        self.machines[machine].is_suspect = false;
        self.happened(crate::world::Happening::Replaced { machine });
    }
}
