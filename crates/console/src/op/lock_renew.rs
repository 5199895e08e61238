//! POST /v1/locks/{key}: hold a lock for another ttl.

use super::{lock_outcome, lock_right, not_held};
use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::{Grant, Renewal},
};
use access::Action;
use base::Duration;
use lock::{Outcome, Request, Token};
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let key: Arc<str> = asked.segment(0).into();
    let Renewal { token, ttl_ms } = asked.json()?;
    let (token, ttl) = (Token(token), ttl_ms.map(Duration::from_millis));
    Ok(Plan::new(lock_right(Action::Write, &key), LockRenew { key, token, ttl }))
}

#[derive(Debug)]
struct LockRenew {
    key: Arc<str>,
    token: Token,
    ttl: Option<Duration>,
}

impl Operation for LockRenew {
    fn go(&mut self, _: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        let key = Arc::clone(&self.key);
        if answer.is_none() {
            let (token, ttl) = (self.token, self.ttl);
            return Ok(Next::Ask(Ask::Lock(Request::Renew { key, token, ttl })));
        }
        match lock_outcome(answer)? {
            Outcome::Renewed { token, ttl_ms } => {
                Ok(Reply::json(&Grant { key, token: token.0, ttl_ms }))
            }
            Outcome::NotHeld { current } => Err(not_held(&key, current)),
            other @ (Outcome::Granted { .. }
            | Outcome::Held { .. }
            | Outcome::TimedOut
            | Outcome::Released
            | Outcome::Full { .. }
            | Outcome::Ended) => mismatch(&Some(Answer::Lock(lock::Reply::Outcome(other)))),
        }
    }
}
