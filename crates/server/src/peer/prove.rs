//! Hellos and proofs: the part of the handshake that strangers can reach.

use super::{
    Broken, Stage,
    hello::{HELLO_BYTES, Hello, NONCE_BYTES, Role},
};
use hmac::{Hmac, Mac};
use host::{KeyName, Lane};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What both sides of one TLS connection can compute and nobody else.
pub(super) const BINDING_BYTES: usize = 32;
/// Says what the proof is for, so that no other HMAC under the same key can stand for it.
const PURPOSE: &[u8] = b"trine peer proof 1";
const PROOF_BYTES: usize = 32;

/// What ties proofs to one connection.
#[derive(Clone, Copy)]
pub(super) struct Binding(pub(super) [u8; BINDING_BYTES]);

/// Both hellos as they were sent.
struct Said {
    dialer: [u8; HELLO_BYTES],
    acceptor: [u8; HELLO_BYTES],
}

/// Proves to the acceptor that this node belongs, and lets it prove the same.
pub(super) async fn dial<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    binding: Binding,
    lane: Lane,
    key_name: KeyName,
    key: &[u8],
    nonce: [u8; NONCE_BYTES],
) -> Result<(), Broken> {
    let hello = Hello { role: Role::Dialer, lane, key: key_name, nonce };
    let dialer = hello.encode();
    say(stream, &dialer, Stage::Hello).await?;
    let acceptor = hear(stream, Stage::Hello).await?;
    let theirs = Hello::decode(&acceptor, Role::Acceptor)?;
    // An honest acceptor never has our nonce: it would be ours, sent back.
    if theirs.lane != lane || theirs.key != key_name || theirs.nonce == nonce {
        return Err(Broken::Mismatch);
    }
    let said = Said { dialer, acceptor };
    let proof = said.proof(key, binding, Role::Dialer).finalize().into_bytes();
    say(stream, &proof, Stage::Proof).await?;
    // An acceptor that does not believe us says nothing and hangs up.
    let theirs: [u8; PROOF_BYTES] = match hear(stream, Stage::Proof).await {
        Err(Broken::Io { .. }) => return Err(Broken::NotTrusted),
        heard => heard?,
    };
    said.check(key, binding, Role::Acceptor, &theirs)
}

/// Lets the dialer prove that it belongs, then proves the same. What it comes for, and under which key.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    binding: Binding,
    find_key: impl FnOnce(KeyName) -> Option<Vec<u8>>,
    nonce: [u8; NONCE_BYTES],
) -> Result<(Lane, KeyName), Broken> {
    let dialer = hear(stream, Stage::Hello).await?;
    let Hello { lane, key: key_name, nonce: theirs, .. } = Hello::decode(&dialer, Role::Dialer)?;
    if theirs == nonce {
        return Err(Broken::Mismatch);
    }
    let hello = Hello { role: Role::Acceptor, lane, key: key_name, nonce };
    let acceptor = hello.encode();
    say(stream, &acceptor, Stage::Hello).await?;
    let proof: [u8; PROOF_BYTES] = hear(stream, Stage::Proof).await?;
    let key = find_key(key_name).ok_or(Broken::UnknownKey)?;
    let said = Said { dialer, acceptor };
    said.check(&key, binding, Role::Dialer, &proof)?;
    let proof = said.proof(&key, binding, Role::Acceptor).finalize().into_bytes();
    say(stream, &proof, Stage::Proof).await?;
    Ok((lane, key_name))
}

impl Said {
    fn proof(&self, key: &[u8], binding: Binding, prover: Role) -> Hmac<Sha256> {
        let mut proof = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        // All parts have fixed lengths, so no two different wholes look alike.
        for part in [PURPOSE, &[prover.byte()], &self.dialer, &self.acceptor, &binding.0] {
            proof.update(part);
        }
        proof
    }

    /// In constant time.
    fn check(
        &self,
        key: &[u8],
        binding: Binding,
        prover: Role,
        proof: &[u8],
    ) -> Result<(), Broken> {
        self.proof(key, binding, prover).verify_slice(proof).map_err(|_| Broken::Proof)
    }
}

async fn say<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
    stage: Stage,
) -> Result<(), Broken> {
    stream.write_all(bytes).await.map_err(Broken::at(stage))?;
    stream.flush().await.map_err(Broken::at(stage))
}

async fn hear<S: AsyncRead + Unpin, const BYTES: usize>(
    stream: &mut S,
    stage: Stage,
) -> Result<[u8; BYTES], Broken> {
    let mut bytes = [0; BYTES];
    stream.read_exact(&mut bytes).await.map_err(Broken::at(stage))?;
    Ok(bytes)
}
