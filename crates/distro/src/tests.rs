//! Conversations and laws of the core.

mod ahead;
mod asked;
mod cluster;
mod conversation;
mod laws;
mod network;
mod orders;
mod storm;

use crate::Key;

impl Key for std::string::String {
    fn bytes(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(self.as_bytes());
    }
}

impl Key for u8 {
    fn bytes(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&[*self]);
    }
}

impl Key for u64 {
    fn bytes(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&self.to_le_bytes());
    }
}
