//! The group on a simulated network with simulated disks.

use crate::*;
use base::{LogIndex, NodeId, Now, ProposalId, RequestId};
use world::World;

mod groups;
mod world;
