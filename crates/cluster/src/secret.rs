//! What nodes prove to each other before anything else is said.

use base::Rng;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The shortest secret in bytes.
pub const SECRET_BYTES_MIN: usize = 32;
/// The longest secret in bytes.
pub const SECRET_BYTES_MAX: usize = 1024;

/// A key that is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Wraps the bytes of a secret.
    ///
    /// # Errors
    /// Says how long a secret has to be, if it is not.
    pub fn new(bytes: &[u8]) -> Result<Self, String> {
        if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            return Ok(Self(bytes.into()));
        }
        Err(format!(
            "a cluster secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, this one has {}",
            bytes.len()
        ))
    }

    /// A new one.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        let mut bytes = [0; SECRET_BYTES_MIN];
        rng.fill(&mut bytes);
        Self(bytes.into())
    }

    /// The bytes, for a MAC. Compare them in constant time only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Names a join token; not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenId(pub u64);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for TokenId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 16 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ())
    }
}

/// What `--token` takes: lets one more node prove that it was invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    /// Says which key is meant.
    pub id: TokenId,
    /// The key.
    pub key: Secret,
}

impl JoinToken {
    /// As it is shown once, to be handed to the new node: `trine-ID-KEY` in hex.
    #[must_use]
    pub fn text(&self) -> String {
        let key: String = self.key.expose().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("trine-{}-{key}", self.id)
    }
}

impl FromStr for JoinToken {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "this is no join token; `trine cluster join-token` on a running node prints one"
                .to_owned()
        };
        let rest = text.trim().strip_prefix("trine-").ok_or_else(wrong)?;
        let (id, key) = rest.split_once('-').ok_or_else(wrong)?;
        let id = id.parse().map_err(|()| wrong())?;
        if key.len() % 2 != 0 || !key.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let digits: Vec<u8> =
            key.bytes().map(|c| (c as char).to_digit(16).unwrap_or(0) as u8).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        Ok(Self { id, key: Secret::new(&bytes).map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_from_its_text_and_shows_its_key_nowhere_else() {
        let key = Secret::random(&mut Rng::from_seed([3; 32]));
        let token = JoinToken { id: TokenId(0xabc), key };
        assert_eq!(token.text().parse(), Ok(token.clone()));
        assert!(format!("{token:?}").contains("Secret(..)"));
        for wrong in ["", "trine-", "trine-0000000000000abc-", "trine-0000000000000abc-00", "x"] {
            assert!(wrong.parse::<JoinToken>().is_err(), "{wrong}");
        }
    }
}
