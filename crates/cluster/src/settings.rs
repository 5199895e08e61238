//! How one node takes part.

use crate::{Address, Error, Identity, Secret};
use std::collections::BTreeSet;

/// The most addresses to join by.
pub const SEEDS_MAX: usize = gossip::SEEDS_LEN_MAX;

/// How one node takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is on its disk.
    pub identity: Identity,
    /// Where other nodes reach it.
    pub advertise: Address,
    /// Where clients reach it, for lists of members.
    pub api: Option<Address>,
    /// Where others may be found (`--join`); its own address may be among them.
    pub seeds: Vec<Address>,
    /// How many nodes found the cluster together (`--expect`).
    pub expect: Option<u32>,
    /// The cluster's secret, if the settings give one.
    pub secret: Option<Secret>,
}

impl Settings {
    /// A node that nobody was told of and that is to be a cluster of its own.
    #[must_use]
    pub fn alone(identity: Identity, advertise: Address) -> Self {
        Self { identity, advertise, api: None, seeds: Vec::new(), expect: None, secret: None }
    }

    /// Whether they fit together.
    ///
    /// # Errors
    /// [`Error::Settings`] with what does not, and what to do.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::Settings(what));
        if self.seeds.len() > SEEDS_MAX {
            return wrong(format!("at most {SEEDS_MAX} addresses to join may be given"));
        }
        let Some(expect) = self.expect else { return Ok(()) };
        let all: BTreeSet<&Address> = self.seeds.iter().chain([&self.advertise]).collect();
        let (expect, count) = (expect as usize, all.len());
        if expect == 0 || expect > count {
            return wrong(format!(
                "expect {expect} nodes, but with this one there are {count} addresses: give `join` for every node"
            ));
        }
        if expect * 2 <= count {
            return wrong(format!(
                "expect {expect} of {count} addresses could form two clusters: expect more than half of them"
            ));
        }
        Ok(())
    }
}
