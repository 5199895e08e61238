//! The works of three nodes.

mod ghosts;
mod leader_lost;
mod publish;
mod push;
mod seen;
mod still;

pub(crate) use self::{
    ghosts::run as ghosts, leader_lost::run as leader_lost, publish::run as publish,
    push::run as push, seen::run as seen, still::run as still,
};
