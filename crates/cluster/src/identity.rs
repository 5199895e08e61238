//! The identity record: what a node keeps of itself, and of its cluster, through a restart.

use crate::{Address, ClusterId, Error, Formation, Founder, Secret};
use base::NodeId;
use serde::{Deserialize, Serialize};

/// Version of the encoding; the first byte.
const VERSION: u8 = 2;
/// The version of builds whose nodes were alone: a node id, big-endian.
const VERSION_ALONE: u8 = 1;
/// The longest record in bytes.
pub const IDENTITY_BYTES_MAX: usize = 64 << 10;

/// Who a node is. On its disk before anybody hears of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The node. Never used again after its disk was lost.
    pub node: NodeId,
    /// How far it has come into a cluster.
    pub formation: Formation,
    /// The cluster's secret, if it was received, made or given by the settings, which may give another one later.
    pub secret: Option<Secret>,
    /// Where others were when they were last seen, so that a restart needs no addresses.
    pub peers: Vec<Address>,
}

impl Identity {
    /// A node that belongs nowhere yet.
    #[must_use]
    pub fn fresh(node: NodeId) -> Self {
        Self { node, formation: Formation::Fresh, secret: None, peers: Vec::new() }
    }

    /// The same node in a new cluster of its own, when all others are lost: they belong to the former one and are refused.
    /// The secret is kept, so that others can come to it, and be told.
    #[must_use]
    pub fn alone_in(&self, cluster: ClusterId) -> Self {
        let address = match &self.formation {
            Formation::Formed { founders, .. } | Formation::Adopted { founders, .. } => {
                let own = founders.iter().find(|founder| founder.node == self.node);
                own.and_then(|founder| founder.address.clone())
            }
            Formation::Fresh | Formation::Joining { .. } => None,
        };
        let founders = vec![Founder { node: self.node, address }];
        let formation = Formation::Formed { cluster, founders };
        Self { formation, peers: Vec::new(), ..self.clone() }
    }

    /// As it is on disk.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION])
            .expect("an identity is plain data and memory does not refuse it")
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let what = "the identity record on disk";
        match bytes.split_first() {
            Some((&VERSION, rest)) if rest.len() <= IDENTITY_BYTES_MAX => {
                let read: Self =
                    postcard::from_bytes(rest).map_err(|why| Error::malformed(what, why))?;
                match read.formation.fault() {
                    Some(why) => Err(Error::malformed(what, why)),
                    None => Ok(read),
                }
            }
            Some((&VERSION_ALONE, rest)) => {
                let number =
                    rest.try_into().map_err(|_| Error::malformed(what, "it is cut off"))?;
                Ok(Self::alone(NodeId(u64::from_be_bytes(number))))
            }
            Some((&VERSION, _)) => Err(Error::malformed(what, "it is too long")),
            Some((&found, _)) => Err(Error::Version { what, found, known: VERSION }),
            None => Err(Error::malformed(what, "it is empty")),
        }
    }

    /// A node of a build that knew no others: it is a cluster of its own.
    fn alone(node: NodeId) -> Self {
        // Such a node may have told nobody where it was; nobody ever dials that.
        let founders = vec![Founder { node, address: None }];
        let cluster = ClusterId::of_founders(&founders);
        let formation = Formation::Formed { cluster, founders };
        Self { formation, ..Self::fresh(node) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_was_alone_is_a_cluster_of_its_own() {
        let bytes = [&[1][..], &7u64.to_be_bytes()].concat();
        let read = Identity::decode(&bytes).expect("version 1");
        assert_eq!(read.node, NodeId(7));
        let Formation::Formed { founders, .. } = &read.formation else { panic!("{read:?}") };
        assert_eq!(founders.len(), 1);
        assert_eq!(Identity::decode(&read.encode()), Ok(read));
        assert!(Identity::decode(&[]).is_err() && Identity::decode(&[3]).is_err());
    }
}
