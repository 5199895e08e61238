//! Whole hosts in one process, linked by pipes: what the world has to do, and nothing of a network.

mod chaos;
mod junk;
mod net;
mod seeds;
mod several;
mod snapshots;
