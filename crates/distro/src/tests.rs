//! Conversations and laws of the core.

mod ahead;
mod asked;
mod cluster;
mod connected;
mod conversation;
mod laws;
mod network;
mod orders;
mod storm;

use crate::Key;
use base::NodeId;

impl Key for std::string::String {
    fn bytes(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(self.as_bytes());
    }

    fn heard_only_by(&self) -> Option<NodeId> {
        None
    }
}

impl Key for u8 {
    fn bytes(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&[*self]);
    }

    fn heard_only_by(&self) -> Option<NodeId> {
        None
    }
}

impl Key for u64 {
    fn bytes(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&self.to_le_bytes());
    }

    fn heard_only_by(&self) -> Option<NodeId> {
        None
    }
}
