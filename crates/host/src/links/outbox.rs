//! What waits to be written to one lane of a link: bounded in bytes.

use crate::Signal;
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};

/// What may wait on the urgent lane of a link. Its messages are short: who takes none for so long is gone.
pub const URGENT_BYTES_MAX: usize = 4 << 20;
/// What may wait on the bulk lane beyond the longest log: a leader sends a follower all of it at once.
pub const BULK_BYTES_MAX: usize = 32 << 20;

/// A frame that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) frame: Bytes,
    /// Whether to compress it when it leaves.
    pub(crate) repeats: bool,
}

/// One lane of a link.
#[derive(Debug)]
pub(crate) struct Outbox {
    bytes_max: usize,
    bytes: usize,
    posts: VecDeque<Post>,
    pub(crate) signal: Arc<Signal>,
}

/// It would have been too much.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl Outbox {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, posts: VecDeque::new(), signal: Arc::default() }
    }

    /// # Errors
    /// At the limit. What is lost on a lane breaks the link: whoever reads on must not miss something in between.
    pub(crate) fn push(&mut self, post: Post) -> Result<(), Overflow> {
        if self.bytes + post.frame.len() > self.bytes_max {
            return Err(Overflow);
        }
        self.bytes += post.frame.len();
        self.posts.push_back(post);
        self.signal.raise();
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Option<Post> {
        let post = self.posts.pop_front()?;
        self.bytes -= post.frame.len();
        Some(post)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_so_many_bytes_and_then_more_when_some_have_left() {
        let mut outbox = Outbox::new(10);
        let six = || Post { frame: Bytes::from_static(b"sixsix"), repeats: false };
        assert_eq!(outbox.push(six()), Ok(()));
        assert_eq!(outbox.push(six()), Err(Overflow));
        assert_eq!((outbox.bytes(), outbox.pop()), (6, Some(six())));
        assert_eq!(outbox.push(six()), Ok(()));
        assert_eq!((outbox.pop(), outbox.pop(), outbox.bytes()), (Some(six()), None, 0));
    }
}
