//! POST /v1/login: a password for a token.

use crate::{
    Answer, Ask, Password,
    dates::rfc3339,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::{Credentials, Token},
};
use access::TOKEN_TTL;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    // The reader's own message would quote the body, and the body has the password.
    let given = serde_json::from_slice::<Credentials>(&asked.body).map_err(|error| {
        Problem::invalid(
            "the body is not the JSON that this route takes",
            format!("it does not read at line {}, column {}", error.line(), error.column()),
            "send {\"username\": …, \"password\": …}",
        )
    })?;
    let login = Login { user: given.username, password: given.password, stage: Stage::Asked };
    Ok(Plan::new(Right::Everyone, login))
}

struct Login {
    user: Arc<str>,
    password: String,
    stage: Stage,
}

/// Where the login is. Each password, right or wrong, is told to access, which counts failures.
#[derive(Debug)]
enum Stage {
    Asked,
    /// May it be tried?
    Attempt,
    /// Is it right?
    Verify,
    /// Access was told.
    Attempted {
        right: bool,
    },
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl Operation for Login {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        let address: Arc<str> = cx.facts.remote.ip().to_string().into();
        let user = Arc::clone(&self.user);
        match (&self.stage, answer) {
            (Stage::Asked, None) => {
                self.stage = Stage::Attempt;
                Ok(Next::Ask(Ask::Access(access::Request::Attempt { user, address })))
            }
            (
                Stage::Attempt,
                Some(Answer::Access(access::Reply::TooManyFailures { retry_after })),
            ) => Err(Problem::limit(
                "the password was not tried",
                "too many wrong passwords were given lately",
                format!("wait {} s", retry_after.as_secs().max(1)),
            )),
            (Stage::Attempt, Some(Answer::Access(access::Reply::Proceed))) => {
                if cx.views.remembered(&user, &self.password) {
                    return Ok(self.tell(true, address));
                }
                self.stage = Stage::Verify;
                let access = cx.views.access();
                let hash = access.users.get(&user).map(|known| Arc::clone(&known.password_hash));
                let password = Password(self.password.clone());
                Ok(Next::Ask(Ask::Verify { user, password, hash }))
            }
            (Stage::Verify, Some(Answer::Verified(right))) => Ok(self.tell(right, address)),
            (Stage::Attempted { right: true }, Some(Answer::Access(access::Reply::Noted))) => {
                token(cx, user)
            }
            (Stage::Attempted { right: false }, Some(Answer::Access(access::Reply::Noted))) => {
                Err(Problem::new(
                    401,
                    "wrong-password",
                    "not logged in",
                    "there is no such user, or the password is another",
                    "check both; passwords are case-sensitive",
                ))
            }
            (_, other) => mismatch(&other),
        }
    }
}

impl Login {
    fn tell(&mut self, right: bool, address: Arc<str>) -> Next {
        self.stage = Stage::Attempted { right };
        let user = Arc::clone(&self.user);
        Next::Ask(Ask::Access(access::Request::Attempted { user, address, right }))
    }
}

fn token(cx: &Context<'_>, username: Arc<str>) -> Result<Next, Problem> {
    let issued = cx.views.access().issue(&username, cx.now.unix_ms, TOKEN_TTL);
    let token = issued.ok_or_else(|| {
        Problem::new(
            503,
            "starting",
            "no token could be issued",
            "this node has no key for tokens yet",
            "try again in a moment",
        )
    })?;
    let expires_at = rfc3339(cx.now.after(TOKEN_TTL).unix_ms);
    Ok(Reply::json(&Token { token, username, expires_at }))
}
