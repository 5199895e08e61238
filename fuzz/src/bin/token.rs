//! Tokens. An even first byte: the rest is one as it came. Odd: the rest is a header and claims, separated by a line end,
//! which are signed with the right key: what only we could have written is still checked.
#![no_main]
#![forbid(unsafe_code)]

use access::{Principal, Secret, TOKEN_TTL, TokenError, User, View};
use base::Revision;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

const KEY: &[u8] = &[7; access::TOKEN_KEY_BYTES];
const NOW_MS: u64 = 1_790_000_000_000;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    let view = view();
    if mode % 2 == 0 {
        let token = String::from_utf8_lossy(data);
        assert!(view.authenticate(&token, NOW_MS).is_err(), "nobody but us has the key");
        round_trip(&view, &token);
    } else {
        let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
        let token = signed(&data[..at], data.get(at + 1..).unwrap_or_default());
        let read = view.authenticate(&token, NOW_MS);
        assert!(
            matches!(&read, Ok(Principal::User(name)) if view.users.contains_key(name))
                || read.is_err()
        );
        assert!(!matches!(read, Err(TokenError::Signature | TokenError::NoKey)), "it is signed");
    }
});

/// What is issued to a user is that user's, whatever the name.
fn round_trip(view: &View, name: &str) {
    let mut view = view.clone();
    let user = view.users["a"].clone();
    view.users.insert(name.into(), user);
    let token = view.issue(name, NOW_MS, TOKEN_TTL).expect("there is a key");
    if token.len() <= access::TOKEN_BYTES_MAX {
        assert_eq!(view.authenticate(&token, NOW_MS), Ok(Principal::User(name.into())));
    }
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let head = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).expect("HMAC takes keys of any length");
    mac.update(head.as_bytes());
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn view() -> View {
    let user = User { password_hash: "".into() };
    View {
        revision: Revision(1),
        token_key: Some(Secret::new(KEY.to_vec())),
        users: [("a".into(), user)].into(),
        roles: [].into(),
        permissions: [].into(),
        namespaces: [].into(),
    }
}
