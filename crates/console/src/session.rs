//! One connection's conversation.

use crate::{Facts, Input, Output, Views};
use base::{Instant, Now};
use std::collections::VecDeque;

/// The state of one connection to our own HTTP API.
#[derive(Debug)]
pub struct Session {
    facts: Facts,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A session that has heard nothing yet.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self { facts, outputs: VecDeque::new() }
    }

    /// Takes one input in.
    pub fn step(&mut self, _now: Now, _views: &impl Views, _input: Input) {
        let _ = &self.facts;
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to step `Input::Wake` at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        None
    }
}
