//! Randomness as a value: one seeded generator per node, forked per user of it.

use rand_chacha::{
    ChaCha12Rng,
    rand_core::{RngCore, SeedableRng},
};

/// A ChaCha generator. Its 32-byte seed comes from the operating system in `server` and from the run in `sim`, so
/// tokens and passwords may be made from it and runs can still be replayed.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// The generator of a seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A generator of its own for a part of the node, so that drawing more in one part does not shift the others.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        Self::from_seed(seed)
    }

    /// A uniform number.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform number below `limit`.
    ///
    /// # Panics
    /// If `limit` is zero: there is no such number.
    pub fn below(&mut self, limit: u64) -> u64 {
        assert!(limit > 0, "no number is below zero");
        // Lemire's method without the rejection step: the bias is below 2^-32 for the small limits used here.
        ((u128::from(self.0.next_u64()) * u128::from(limit)) >> 64) as u64
    }

    /// Fills `bytes` with uniform bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_numbers() {
        let mut a = Rng::from_seed([7; 32]);
        let mut b = Rng::from_seed([7; 32]);
        let (mut fork_a, mut fork_b) = (a.fork(), b.fork());
        fork_a.next_u64();
        assert_eq!(a.next_u64(), b.next_u64(), "drawing from a fork must not shift its parent");
        fork_b.next_u64();
        assert_eq!(fork_a.next_u64(), fork_b.next_u64());
        assert!((0..1000).all(|_| a.below(3) < 3));
    }
}
