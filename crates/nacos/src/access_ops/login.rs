//! A password for a token: `POST /v1/auth/login`, `/v1/auth/users/login`, `/v3/auth/user/login`.
//!
//! An unknown user and a wrong password take the same path, the same time and the same words. A token that comes with
//! a login has no meaning here.

use crate::{
    Answer, Ask, Login, Password,
    call::{WRONG_CREDENTIAL, throttled},
    credential::may_be_tried,
    fault::{Fault, Shape},
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::{self, Rendered},
};
use base::Duration;
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

/// How long a token is good.
pub(crate) const TOKEN_TTL: Duration = Duration::from_secs(18_000);
/// What Nacos gives out as a token when it asks for none.
const NO_TOKEN_NEEDED: &str = "AUTH_DISABLED";

#[derive(Debug)]
pub(crate) struct LogIn {
    user: Arc<str>,
    password: Password,
    right: bool,
}

impl LogIn {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let user = form.get("username").unwrap_or_default().into();
        let password = Password(form.get("password").unwrap_or_default().to_owned());
        Ok(Self { user, password, right: false }.into())
    }

    fn welcome(&self, context: &Context<'_>) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Welcome<'a> {
            access_token: &'a str,
            token_ttl: u64,
            global_admin: bool,
            username: &'a str,
        }
        let access = context.views.access();
        let open = context.facts.login == Login::Open;
        let token = if self.right {
            access.issue(&self.user, context.now.unix_ms, TOKEN_TTL)
        } else {
            open.then(|| NO_TOKEN_NEEDED.to_owned())
        };
        let Some(token) = token else { return wrong() };
        let Rendered::Http(mut response) = Rendered::json(&Welcome {
            access_token: &token,
            token_ttl: TOKEN_TTL.as_secs(),
            global_admin: if self.right { access.is_administrator(&self.user) } else { open },
            username: &self.user,
        }) else {
            unreachable!("it was just made as an HTTP answer")
        };
        reply::add(&mut response, "authorization", &format!("Bearer {token}"));
        reply::add(&mut response, "cache-control", "no-store");
        Next::Reply(Rendered::Http(response))
    }
}

fn wrong() -> Next {
    let (shape, status) = (Shape::Plain, StatusCode::FORBIDDEN);
    Next::Fault(Fault::new(shape, status, 403, WRONG_CREDENTIAL))
}

impl Operate for LogIn {
    fn need(&self) -> Need {
        Need::Ready
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        if !may_be_tried(&self.user, &self.password.0) {
            return wrong();
        }
        if context.views.remembered(&self.user, &self.password.0) {
            self.right = true;
            return self.welcome(context);
        }
        let (user, address) = (self.user.clone(), context.address().into());
        Next::Ask(Ask::Access(access::Request::Attempt { user, address }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Access(access::Reply::Proceed)) => {
                let (user, password) = (self.user.clone(), self.password.clone());
                let hash = context.views.access().password_hash(&user).map(Into::into);
                Next::Ask(Ask::Verify { user, password, hash })
            }
            Event::Answer(Answer::Verified(right)) => {
                self.right = right;
                let (user, address) = (self.user.clone(), context.address().into());
                Next::Ask(Ask::Access(access::Request::Attempted { user, address, right }))
            }
            Event::Answer(Answer::Access(access::Reply::Noted)) => self.welcome(context),
            Event::Answer(Answer::Access(reply)) => {
                Next::Fault(Fault { shape: Shape::Plain, ..throttled(&reply) })
            }
            event => failed(event),
        }
    }
}
