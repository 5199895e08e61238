//! The group on a simulated network with simulated disks.

use crate::*;
use base::{Duration, LogIndex, NodeId, Now, ProposalId, RequestId};
use world::World;

mod bytes;
mod conversations;
mod groups;
mod safety;
mod survivor;
mod world;
