//! Which tokens are accepted: ours, in time, and no other.

use super::{apply, company, hash, view};
use crate::{CLOCK_SKEW_MAX, Change, Principal, TOKEN_BYTES_MAX, TOKEN_TTL, TokenError, View};
use base::Duration;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, Mac};
use proptest::prelude::*;
use sha2::{Sha256, Sha512};

const NOW_MS: u64 = 1_700_000_000_000;
const NOW: u64 = NOW_MS / 1000;
const HS256: &str = r#"{"alg":"HS256"}"#;

fn claims(exp: impl std::fmt::Display) -> String {
    format!(r#"{{"sub":"dev","exp":{exp}}}"#)
}

fn signed(key: &[u8], header: &str, claims: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn ours(header: &str, claims: &str) -> String {
    signed(&[7; 32], header, claims)
}

fn refused(view: &View, what: &str, token: &str, error: TokenError) {
    assert_eq!(view.authenticate(token, NOW_MS), Err(error), "{what}");
}

#[test]
fn what_is_issued_is_accepted_until_its_end_and_no_longer_than_its_user() {
    let mut access = company();
    let token = view(&access).issue("dev", NOW_MS, TOKEN_TTL).expect("there is a key");
    let dev = Ok(Principal::User("dev".into()));
    let end_ms = NOW_MS + TOKEN_TTL.as_millis() as u64;
    assert_eq!(view(&access).authenticate(&token, NOW_MS), dev);
    assert_eq!(view(&access).authenticate(&token, end_ms - 1), dev);
    assert_eq!(view(&access).authenticate(&token, end_ms), Err(TokenError::Expired));
    // A node whose clock is behind that of the one that gave it out.
    let skew_ms = CLOCK_SKEW_MAX.as_millis() as u64;
    assert_eq!(view(&access).authenticate(&token, NOW_MS - skew_ms), dev);
    let early = NOW_MS - skew_ms - 1000;
    assert_eq!(view(&access).authenticate(&token, early), Err(TokenError::LivesTooLong));
    apply(&mut access, 9, Change::RemoveUser { name: "dev".into() });
    refused(view(&access), "user removed", &token, TokenError::UnknownUser);
    let long = view(&access).issue("nacos", NOW_MS, Duration::MAX).expect("there is a key");
    assert!(view(&access).authenticate(&long, NOW_MS).is_ok(), "cut to TOKEN_TTL");
    assert_eq!(View::empty().issue("dev", NOW_MS, TOKEN_TTL), None);
    assert_eq!(View::empty().authenticate(&token, NOW_MS), Err(TokenError::NoKey));
}

#[test]
fn published_secrets_sign_nothing() {
    let access = company();
    let published = "SecretKey012345678901234567890123456789012345678901234567890123456789";
    let keys = [
        published.as_bytes().to_vec(),
        STANDARD.decode(&published[..68]).expect("base64"),
        published.as_bytes()[..32].to_vec(),
        b"VGhpc0lzTXlDdXN0b21TZWNyZXRLZXkwMTIzNDU2Nzg=".to_vec(),
        STANDARD.decode("VGhpc0lzTXlDdXN0b21TZWNyZXRLZXkwMTIzNDU2Nzg=").expect("base64"),
        b"security".to_vec(),
        Vec::new(),
        vec![0; 32],
    ];
    for key in keys {
        let token = signed(&key, HS256, &claims(NOW + 60));
        refused(view(&access), &format!("{key:?}"), &token, TokenError::Signature);
    }
}

#[test]
fn only_hs256_without_parameters_is_accepted() {
    let access = company();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"HS256 "}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","kid":"../../dev/null"}"#,
        r#"{"alg":"HS256","jwk":{"kty":"oct","k":""}}"#,
        r#"{"alg":"HS256","jku":"http://evil"}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","typ":"JWE"}"#,
        r#"{"typ":"JWT"}"#,
        "{}",
        "",
        "null",
        "HS256",
    ] {
        let token = ours(header, &claims(NOW + 60));
        refused(view(&access), header, &token, TokenError::Header);
    }
    for header in [HS256, r#"{"alg":"HS256","typ":"JWT"}"#, r#"{ "typ":"JWT", "alg":"HS256" }"#] {
        let token = ours(header, &claims(NOW + 60));
        assert!(view(&access).authenticate(&token, NOW_MS).is_ok(), "{header}");
    }
}

#[test]
fn the_signature_covers_all_and_is_whole() {
    let access = company();
    let token = ours(HS256, &claims(NOW + 60));
    let (text, signature) = token.rsplit_once('.').expect("three parts");
    let (_, middle) = text.split_once('.').expect("three parts");
    let raw = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    let other = URL_SAFE_NO_PAD.encode(r#"{"sub":"nacos","exp":1700000060}"#);
    let mut sha512 = Hmac::<Sha512>::new_from_slice(&[7; 32]).expect("any length");
    sha512.update(text.as_bytes());
    let sha512 = sha512.finalize().into_bytes();
    let [head, signature_of] = [URL_SAFE_NO_PAD.encode(HS256), signature.to_string()];
    for (what, token) in [
        ("no signature", format!("{text}.")),
        ("half a signature", format!("{text}.{}", URL_SAFE_NO_PAD.encode(&raw[..16]))),
        ("a longer one", format!("{text}.{}", URL_SAFE_NO_PAD.encode([&raw[..], &[0]].concat()))),
        ("another user", format!("{head}.{other}.{signature_of}")),
        ("another algorithm's", format!("{text}.{}", URL_SAFE_NO_PAD.encode(sha512))),
        ("its first half", format!("{text}.{}", URL_SAFE_NO_PAD.encode(&sha512[..32]))),
    ] {
        refused(view(&access), what, &token, TokenError::Signature);
    }
    for (what, token) in [
        ("empty", String::new()),
        ("dots", "..".repeat(9)),
        ("two parts", text.to_string()),
        ("four parts", format!("{token}.{signature}")),
        ("padded", format!("{token}=")),
        ("standard alphabet", token.replace(middle, "+/+/")),
        ("spaces", format!("{token} ")),
        ("with its scheme", format!("Bearer {token}")),
        ("not ASCII", format!("{token}ü")),
        ("too long", "a".repeat(TOKEN_BYTES_MAX + 1)),
    ] {
        refused(view(&access), what, &token, TokenError::Malformed);
    }
}

#[test]
fn the_end_is_a_number_of_seconds_and_near() {
    let access = company();
    let max = (TOKEN_TTL + CLOCK_SKEW_MAX).as_secs();
    for (exp, error) in [
        ("0".to_string(), TokenError::Expired),
        (format!("{}", NOW - 1), TokenError::Expired),
        (format!("{NOW}"), TokenError::Expired),
        (format!("{}", NOW + max + 1), TokenError::LivesTooLong),
        ("253402300799".into(), TokenError::LivesTooLong),
        (format!("{NOW_MS}"), TokenError::LivesTooLong),
        (format!("{}", u64::MAX), TokenError::LivesTooLong),
        ("18446744073709551616".into(), TokenError::Claims),
        ("-1".into(), TokenError::Claims),
        (format!("{}.5", NOW + 60), TokenError::Claims),
        ("1e10".into(), TokenError::Claims),
        (format!("\"{}\"", NOW + 60), TokenError::Claims),
        ("null".into(), TokenError::Claims),
        ("true".into(), TokenError::Claims),
    ] {
        refused(view(&access), &exp, &ours(HS256, &claims(&exp)), error);
    }
    assert!(view(&access).authenticate(&ours(HS256, &claims(NOW + max)), NOW_MS).is_ok());
    for text in [
        r#"{"sub":"dev"}"#,
        r#"{"exp":1700000060}"#,
        r#"{"sub":7,"exp":1700000060}"#,
        r#"{"sub":"dev","exp":1,"exp":1700000060}"#,
        "[]",
        "",
    ] {
        refused(view(&access), text, &ours(HS256, text), TokenError::Claims);
    }
    let nobody = ours(HS256, r#"{"sub":"","exp":1700000060}"#);
    refused(view(&access), "no name", &nobody, TokenError::UnknownUser);
    // What is not asked for is skipped, however deep.
    let (open, close) = ("[".repeat(900), "]".repeat(900));
    let deep = format!(r#"{{"x":{open}{close},"sub":"dev","exp":1700000060}}"#);
    assert!(view(&access).authenticate(&ours(HS256, &deep), NOW_MS).is_ok());
}

#[test]
fn a_new_password_leaves_tokens_and_the_key_never_changes() {
    let mut access = company();
    let token = view(&access).issue("dev", NOW_MS, TOKEN_TTL).expect("there is a key");
    apply(&mut access, 9, Change::SetPassword { name: "dev".into(), password_hash: hash("new") });
    let token_key = super::key(8);
    apply(&mut access, 10, Change::Initialize { token_key, password_hash: None });
    assert!(view(&access).authenticate(&token, NOW_MS).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_token_is_refused_and_not_repeated(at: proptest::sample::Index, with in any::<char>()) {
        let access = company();
        let token = view(&access).issue("dev", NOW_MS, TOKEN_TTL).expect("there is a key");
        let mut chars: Vec<char> = token.chars().collect();
        let at = at.index(chars.len());
        prop_assume!(chars[at] != with);
        chars[at] = with;
        let changed: String = chars.into_iter().collect();
        let error = view(&access).authenticate(&changed, NOW_MS).expect_err("changed");
        let text = format!("{error} {error:?}");
        prop_assert!(token.split('.').all(|part| !text.contains(part)));
    }

    #[test]
    fn junk_is_refused(token in "[-_a-zA-Z0-9.]{0,200}|\\PC{0,200}") {
        prop_assert!(view(&company()).authenticate(&token, NOW_MS).is_err());
    }
}
