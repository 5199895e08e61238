//! Tokens: JWTs signed with HMAC-SHA256, and nothing else that calls itself a JWT.

use crate::{Principal, View};
use base::Duration;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How long a token lives, as SDKs expect (5 hours).
pub const TOKEN_TTL: Duration = Duration::from_secs(18_000);
/// How much later than `TOKEN_TTL` from now a token may end: it may come from a node whose clock is ahead.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);
/// Longer ones are not looked at.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// The header of our tokens, as Nacos writes it.
const HEADER: &str = r#"{"alg":"HS256"}"#;

/// Why a token is refused. Never contains any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url, or longer than `TOKEN_BYTES_MAX`.
    #[error("token is malformed: log in again")]
    Malformed,
    /// The header is not `{"alg":"HS256"}`, with `"typ":"JWT"` at most: it names another algorithm, a key, or more.
    #[error("token has a header that is not accepted: only alg HS256 without a key is")]
    Header,
    /// The signature is not ours.
    #[error("token has a wrong signature: log in again")]
    Signature,
    /// Signed by us and yet without a user and an end in whole seconds.
    #[error("token lacks a usable sub or exp: log in again")]
    Claims,
    /// Its time is over.
    #[error("token expired: log in again")]
    Expired,
    /// It would live longer than any token that is given out.
    #[error("token lives longer than allowed: log in again")]
    LivesTooLong,
    /// Its user is gone.
    #[error("token of an unknown user: log in again")]
    UnknownUser,
    /// There is no key yet: the cluster has not been initialized.
    #[error("tokens cannot be checked before the cluster has started")]
    NoKey,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    #[serde(default)]
    iat: u64,
}

impl View {
    /// Whose token this is.
    ///
    /// # Errors
    /// Why it is not accepted; the error contains nothing of the token.
    pub fn authenticate(&self, token: &str, now_unix_ms: u64) -> Result<Principal, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        // Decoding refuses a further dot: it is not in the alphabet.
        let [header, claims, signature] = [decoded(header)?, decoded(claims)?, decoded(signature)?];
        check_header(&header)?;
        self.mac(signed)
            .ok_or(TokenError::NoKey)?
            .verify_slice(&signature)
            .map_err(|_| TokenError::Signature)?;
        let Claims { sub, exp, iat: _ } =
            serde_json::from_slice(&claims).map_err(|_| TokenError::Claims)?;
        let now = now_unix_ms / 1000;
        if exp <= now {
            return Err(TokenError::Expired);
        }
        if exp - now > (TOKEN_TTL + CLOCK_SKEW_MAX).as_secs() {
            return Err(TokenError::LivesTooLong);
        }
        let (name, _) = self.users.get_key_value(sub.as_str()).ok_or(TokenError::UnknownUser)?;
        Ok(Principal::User(name.clone()))
    }

    /// A token for a user whose password was right; `None` before there is a key. A `ttl` beyond `TOKEN_TTL` is cut
    /// to it: nobody would accept the token.
    #[must_use]
    pub fn issue(&self, user: &str, now_unix_ms: u64, ttl: Duration) -> Option<String> {
        let iat = now_unix_ms / 1000;
        let exp = iat.saturating_add(ttl.min(TOKEN_TTL).as_secs());
        let claims = serde_json::to_vec(&Claims { sub: user.into(), exp, iat })
            .expect("a text and two numbers are JSON");
        let mut token =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.mac(&token)?.finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(token)
    }

    fn mac(&self, signed: &str) -> Option<Hmac<Sha256>> {
        let key = self.token_key.as_ref()?.expose();
        let mut mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(signed.as_bytes());
        Some(mac)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

fn check_header(header: &[u8]) -> Result<(), TokenError> {
    let Header { alg, typ } = serde_json::from_slice(header).map_err(|_| TokenError::Header)?;
    let known = alg == "HS256" && typ.is_none_or(|typ| typ == "JWT");
    if known { Ok(()) } else { Err(TokenError::Header) }
}
