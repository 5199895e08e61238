//! A queue with a limit; what happens at the limit is the caller's written answer.

use alloc::collections::VecDeque;

/// First in, first out, never longer than its limit.
#[derive(Clone, Debug)]
pub struct BoundedQueue<T> {
    items: VecDeque<T>,
    len_max: usize,
}

impl<T> BoundedQueue<T> {
    /// An empty queue that holds up to `len_max` items.
    #[must_use]
    pub fn new(len_max: usize) -> Self {
        Self { items: VecDeque::new(), len_max }
    }

    /// Puts an item at the end.
    ///
    /// # Errors
    /// Gives the item back when the queue is full; nothing changed.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        if self.items.len() >= self.len_max {
            return Err(item);
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Takes the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let mut queue = BoundedQueue::new(1);
        assert_eq!(queue.push('a'), Ok(()));
        assert_eq!(queue.push('b'), Err('b'));
        assert_eq!(queue.pop(), Some('a'));
        assert!(queue.is_empty());
    }
}
