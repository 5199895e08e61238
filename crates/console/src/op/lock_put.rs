//! PUT /v1/locks/{key}: hold a lock, at once or after some waiting. The same owner that holds it renews it.

use super::{lock_outcome, lock_right};
use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::{Acquisition, Grant},
};
use access::Action;
use base::Duration;
use lock::{Outcome, Request};
use std::sync::Arc;

/// How long a lock is held by whoever does not say.
const TTL_DEFAULT: Duration = Duration::from_secs(30);

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let key: Arc<str> = asked.segment(0).into();
    let Acquisition { owner, ttl_ms, wait_ms } = asked.json()?;
    let ttl = ttl_ms.map_or(TTL_DEFAULT, Duration::from_millis);
    let wait = Duration::from_millis(wait_ms.unwrap_or(0));
    Ok(Plan::new(lock_right(Action::Write, &key), LockPut { key, owner, ttl, wait }))
}

#[derive(Debug)]
struct LockPut {
    key: Arc<str>,
    owner: Arc<str>,
    ttl: Duration,
    wait: Duration,
}

impl Operation for LockPut {
    fn go(&mut self, _: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        let (key, owner) = (Arc::clone(&self.key), Arc::clone(&self.owner));
        if answer.is_none() {
            let (ttl, wait) = (self.ttl, self.wait);
            return Ok(Next::Ask(Ask::Lock(Request::Acquire { key, owner, ttl, wait })));
        }
        let held = |why: String| {
            Problem::new(
                409,
                "held",
                format!("the lock {} was not granted", self.key),
                why,
                "wait for it (`wait_ms`), or try again later",
            )
        };
        match lock_outcome(answer)? {
            Outcome::Granted { token, ttl_ms } => {
                Ok(Reply::json(&Grant { key, token: token.0, ttl_ms }))
            }
            Outcome::Held { owner, token } => {
                Err(held(format!("{owner} holds it with token {token}")))
            }
            Outcome::TimedOut => Err(held(format!("it was not free within {:?}", self.wait))),
            other @ (Outcome::Renewed { .. }
            | Outcome::Released
            | Outcome::NotHeld { .. }
            | Outcome::Full { .. }
            | Outcome::Ended) => mismatch(&Some(Answer::Lock(lock::Reply::Outcome(other)))),
        }
    }
}
