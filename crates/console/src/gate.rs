//! Who asks, and whether they may.

use crate::{Facts, Login, Views, operation::Right, problem::Problem};
use access::{Action, Principal};
use base::Now;
use http::{HeaderMap, header::AUTHORIZATION};
use std::sync::Arc;

const LOGIN_HINT: &str =
    "`trine login`, or POST /v1/login and send the token as `Authorization: Bearer …`";

/// The token of a request.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<Arc<str>>, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let bearer = value.to_str().ok().and_then(|text| text.split_once(' '));
    match bearer {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(token.trim().into()))
        }
        _ => Err(unauthenticated("the header Authorization is not `Bearer` and a token")),
    }
}

/// Who a token belongs to.
pub(crate) fn authenticate(
    now: Now,
    facts: &Facts,
    views: &dyn Views,
    token: Option<&str>,
) -> Result<Principal, Problem> {
    let proven = token.map(|token| views.access().authenticate(token, now.unix_ms));
    match (proven, facts.login) {
        (Some(Ok(principal)), _) => Ok(principal),
        (Some(Err(_)) | None, Login::Open) => Ok(Principal::Open),
        (Some(Err(error)), Login::Required) => Err(unauthenticated(&error.to_string())),
        (None, Login::Required) => Err(unauthenticated("the request has no token")),
    }
}

/// Whether they may.
pub(crate) fn authorize(
    views: &dyn Views,
    principal: &Principal,
    right: &Right,
) -> Result<(), Problem> {
    let (action, resources) = match right {
        Right::Everyone => return Ok(()),
        Right::To(action, resource) => (action, std::slice::from_ref(resource)),
        Right::ToAll(action, resources) => (action, resources.as_slice()),
    };
    let access = views.access();
    let allowed =
        resources.iter().try_for_each(|resource| access.allows(principal, *action, resource));
    allowed.map_err(|denied| {
        let verb = match action {
            Action::Read => "read",
            Action::Write => "write",
        };
        Problem::new(
            403,
            "forbidden",
            format!("you may not {verb} this"),
            denied.to_string(),
            "ask an administrator for the right, or log in as another user",
        )
    })
}

fn unauthenticated(why: &str) -> Problem {
    Problem::new(401, "unauthenticated", "this needs a login", why, LOGIN_HINT)
}
