//! Conversations between planes: a script goes in, what became of the nodes comes out.

mod balance;
mod bytes;
mod founding;
mod members;
mod schedules;
mod world;
