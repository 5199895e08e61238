//! What both ends of a link say first.

use crate::{Address, ClusterId, Error, Protocols};
use base::{HybridTime, NodeId};
use serde::{Deserialize, Serialize};

/// Version of the encoding; the first byte.
const VERSION: u8 = 1;
/// The longest introduction in bytes.
pub const INTRODUCTION_BYTES_MAX: usize = 256;
/// What this build speaks with other nodes.
pub const PROTOCOLS: Protocols = Protocols { min: 1, max: 1 };

/// Who is at the other end. Said right after the proof, by both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// Which node.
    pub node: NodeId,
    /// Which life of it: its hybrid clock when it started.
    pub life: HybridTime,
    /// The cluster that it belongs to, or joins.
    pub cluster: Option<ClusterId>,
    /// Where other nodes reach it.
    pub address: Address,
    /// What it speaks.
    pub protocols: Protocols,
}

/// Why a node takes no link to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It is this very node.
    Itself,
    /// It belongs to another cluster.
    OtherCluster,
    /// It was removed from this cluster for good.
    Removed,
    /// A copy of a data directory: the node with this id that was started earlier still lives.
    Twin,
    /// There is no version of the protocol that both speak.
    Protocols,
}

impl Introduction {
    /// As it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION])
            .expect("an introduction is plain data and memory does not refuse it")
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let what = "an introduction";
        if bytes.len() > INTRODUCTION_BYTES_MAX {
            return Err(Error::malformed(what, "it is too long"));
        }
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                let (said, left): (Self, &[u8]) =
                    postcard::take_from_bytes(rest).map_err(|why| Error::malformed(what, why))?;
                if !left.is_empty() {
                    return Err(Error::malformed(what, "something follows it"));
                }
                if said.node.0 == 0 {
                    return Err(Error::malformed(what, "node id 0 is reserved"));
                }
                Ok(said)
            }
            Some((&found, _)) => Err(Error::Version { what, found, known: VERSION }),
            None => Err(Error::malformed(what, "it is empty")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_the_longest_one_fits() {
        let said = Introduction {
            node: NodeId(u64::MAX),
            life: HybridTime(u64::MAX),
            cluster: Some(ClusterId(u64::MAX)),
            address: Address::new(&"a".repeat(gossip::ADDRESS_BYTES_MAX)).expect("an address"),
            protocols: Protocols { min: u16::MAX, max: u16::MAX },
        };
        let bytes = said.encode();
        assert!(bytes.len() <= INTRODUCTION_BYTES_MAX, "{}", bytes.len());
        assert_eq!(Introduction::decode(&bytes), Ok(said));
        for end in 0..bytes.len() {
            assert!(Introduction::decode(&bytes[..end]).is_err());
        }
        assert!(Introduction::decode(&[bytes, vec![0]].concat()).is_err());
    }
}
