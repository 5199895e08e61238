//! The machines that a client knows, and which of them it talks to: when one is dead, silent or asks it to go, it goes to the
//! next, as SDKs do.

#[derive(Clone, Debug)]
pub(crate) struct Servers {
    /// Invariant: not empty.
    known: Vec<usize>,
    turn: usize,
}

impl Servers {
    /// All of so many machines, each client beginning with another one.
    pub(crate) fn new(machines: usize, client: usize) -> Self {
        Self { known: (0..machines).collect(), turn: client % machines }
    }

    /// These machines, in this order.
    pub(crate) fn only(known: Vec<usize>) -> Self {
        assert!(!known.is_empty(), "a client knows a machine");
        Self { known, turn: 0 }
    }

    pub(crate) fn current(&self) -> usize {
        self.known[self.turn]
    }

    pub(crate) fn next(&mut self) {
        self.turn = (self.turn + 1) % self.known.len();
    }
}
