//! Who asks: the token or the password that came with a request, wherever Nacos's clients put it.

use crate::{Payload, form::Form};
use http::header::AUTHORIZATION;

/// Bytes of a user's name; no longer one can exist.
pub(crate) const USER_BYTES_MAX: usize = 64;
/// Bytes of a password that is tried at all. More than bcrypt looks at: what it cut off once is cut off again.
pub(crate) const TRIED_PASSWORD_BYTES_MAX: usize = 1_024;

/// Whether a name and a password may be tried. Decided before anything is looked up, so it tells nobody who exists; and
/// nothing long is kept in a table of failures.
pub(crate) fn may_be_tried(user: &str, password: &str) -> bool {
    user.len() <= USER_BYTES_MAX && password.len() <= TRIED_PASSWORD_BYTES_MAX
}

/// What a request proves its caller with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Nothing came.
    None,
    /// A token.
    Token(String),
    /// A name and a password, as some SDKs send with every request.
    Password { user: String, password: String },
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token(..)",
            Self::Password { .. } => "Password(..)",
        })
    }
}

impl Credential {
    pub(crate) fn of_form(form: &Form) -> Self {
        let bearer = form.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        Self::of([bearer, form.header("accessToken"), form.some("accessToken")], |name| {
            form.get(name)
        })
    }

    pub(crate) fn of_payload(payload: &Payload) -> Self {
        let get = |name: &str| {
            let headers = &payload.metadata.as_ref()?.headers;
            headers.get(name).map(String::as_str).filter(|value| !value.is_empty())
        };
        let bearer = get("Authorization").and_then(|text| text.strip_prefix("Bearer "));
        Self::of([get("accessToken"), bearer, None], get)
    }

    fn of<'a>(tokens: [Option<&'a str>; 3], get: impl Fn(&str) -> Option<&'a str>) -> Self {
        if let Some(token) = tokens.into_iter().flatten().find(|token| !token.is_empty()) {
            return Self::Token(token.to_owned());
        }
        match (get("username"), get("password")) {
            (Some(user), Some(password)) if !user.is_empty() => {
                Self::Password { user: user.to_owned(), password: password.to_owned() }
            }
            _ => Self::None,
        }
    }
}
