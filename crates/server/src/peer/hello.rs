//! The first bytes of each side: of a fixed size, so that a stranger cannot make anything grow.

use super::Broken;
use cluster::TokenId;
use host::{KeyName, Lane};

/// Of the whole handshake; a later one may say more behind the same first five bytes.
pub(super) const VERSION: u8 = 1;
/// What a node's hello begins with.
const MAGIC: [u8; 4] = *b"TRNP";
/// Bytes of a hello.
pub(super) const HELLO_BYTES: usize = 56;
/// Bytes of randomness in it.
pub(super) const NONCE_BYTES: usize = 32;

const CLUSTER: u8 = 0;
const TOKEN: u8 = 1;

/// Which side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Connected, and sends frames.
    Dialer,
    /// Was connected to, and takes frames.
    Acceptor,
}

impl Role {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Dialer => b'D',
            Self::Acceptor => b'A',
        }
    }
}

/// What one side says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) role: Role,
    /// What the connection is for.
    pub(super) lane: Lane,
    /// Under which key both sides will prove themselves.
    pub(super) key: KeyName,
    /// Never said before.
    pub(super) nonce: [u8; NONCE_BYTES],
}

impl Hello {
    pub(super) fn encode(&self) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = self.role.byte();
        bytes[6] = match self.lane {
            Lane::Urgent => 0,
            Lane::Bulk => 1,
        };
        match self.key {
            KeyName::Cluster => bytes[7] = CLUSTER,
            KeyName::Token(id) => {
                bytes[7] = TOKEN;
                bytes[8..16].copy_from_slice(&id.0.to_be_bytes());
            }
        }
        bytes[24..].copy_from_slice(&self.nonce);
        bytes
    }

    /// # Errors
    /// When it is not the hello of a node of this version, in this role.
    pub(super) fn decode(bytes: &[u8; HELLO_BYTES], role: Role) -> Result<Self, Broken> {
        if bytes[..4] != MAGIC {
            return Err(Broken::NoHello);
        }
        if bytes[4] != VERSION {
            return Err(Broken::Version { theirs: bytes[4] });
        }
        if bytes[5] != role.byte() {
            return Err(Broken::Mismatch);
        }
        let lane = match bytes[6] {
            0 => Lane::Urgent,
            1 => Lane::Bulk,
            _ => return Err(Broken::NoHello),
        };
        let id = u64::from_be_bytes(bytes[8..16].try_into().expect("eight bytes"));
        let key = match bytes[7] {
            CLUSTER if id == 0 => KeyName::Cluster,
            TOKEN => KeyName::Token(TokenId(id)),
            _ => return Err(Broken::NoHello),
        };
        if bytes[16..24] != [0; 8] {
            return Err(Broken::NoHello);
        }
        let nonce = bytes[24..].try_into().expect("32 bytes");
        Ok(Self { role, lane, key, nonce })
    }
}
