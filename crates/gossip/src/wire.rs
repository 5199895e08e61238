//! The bytes of a message: one byte of version, then postcard.

use crate::{Error, Message};
use alloc::vec::Vec;
use core::{fmt, marker::PhantomData};
use serde::{Deserialize, Deserializer, Serialize, de};

/// The version of messages.
pub const WIRE_VERSION: u8 = 1;

/// The longest message that is read, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

impl Message {
    /// Its bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let bytes = Vec::from([WIRE_VERSION]);
        postcard::to_extend(self, bytes).expect("plain data, and memory is the only limit")
    }

    /// How many bytes `encode` gives.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        1 + size(self)
    }

    /// Reads a message. The host counts the errors: whose bytes they were is known to the transport.
    ///
    /// # Errors
    /// [`Error::Version`] or [`Error::Malformed`], or what [`Message::check`] says; never panics, whatever the bytes. What
    /// it allocates is bounded by `bytes.len()`, not by a length that they announce.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |why| Err(Error::Malformed { why });
        if bytes.len() > MESSAGE_BYTES_MAX {
            return malformed("it is longer than 1 MiB");
        }
        let message: Self = match bytes.split_first() {
            None => return malformed("it is empty"),
            Some((&WIRE_VERSION, body)) => match postcard::take_from_bytes(body) {
                Ok((message, [])) => message,
                Ok(_) => return malformed("it is longer than what it says"),
                Err(_) => return malformed("it is not what was written"),
            },
            Some((&found, _)) => return Err(Error::Version { found, known: WIRE_VERSION }),
        };
        message.check()?;
        Ok(message)
    }
}

/// The bytes of a part of a message.
pub(crate) fn size(value: &impl Serialize) -> usize {
    postcard::experimental::serialized_size(value).expect("plain data, and nothing is written")
}

/// Reads a list of at most `MAX` elements. Nothing is allocated for an announced length, only for what really came.
pub(crate) fn list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Visitor<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> de::Visitor<'de> for Visitor<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            if let Some(announced) = elements.size_hint().filter(|announced| *announced > MAX) {
                return Err(de::Error::invalid_length(announced, &self));
            }
            let mut list = Vec::new();
            while let Some(element) = elements.next_element()? {
                if list.len() == MAX {
                    return Err(de::Error::invalid_length(MAX + 1, &self));
                }
                list.push(element);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_seq(Visitor::<T, MAX>(PhantomData))
}
