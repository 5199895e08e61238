//! DELETE /v1/locks/{key}: hold a lock no longer; with `force=true` whoever holds it.

use super::{lock_outcome, lock_right, not_held};
use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::Written,
};
use access::Action;
use lock::{Outcome, Request, Token};
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let key: Arc<str> = asked.segment(0).into();
    let token = asked.params.take_as::<u64>("token", "the token of a grant")?.map(Token);
    let force = asked.params.take_as::<bool>("force", "true or false")?.unwrap_or(false);
    if token.is_some() == force {
        return Err(Problem::invalid(
            "nothing was released",
            "it takes either `token` or `force=true`",
            "send the token of your grant; `force=true` takes the lock from whoever holds it",
        ));
    }
    Ok(Plan::new(lock_right(Action::Write, &key), LockDelete { key, token }))
}

#[derive(Debug)]
struct LockDelete {
    key: Arc<str>,
    token: Option<Token>,
}

impl Operation for LockDelete {
    fn go(&mut self, _: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let (key, token) = (Arc::clone(&self.key), self.token);
            return Ok(Next::Ask(Ask::Lock(Request::Release { key, token })));
        }
        match lock_outcome(answer)? {
            Outcome::Released => Ok(Reply::json(&Written { revision: None, changed: true })),
            Outcome::NotHeld { current } => Err(not_held(&self.key, current)),
            other @ (Outcome::Granted { .. }
            | Outcome::Held { .. }
            | Outcome::TimedOut
            | Outcome::Renewed { .. }
            | Outcome::Full { .. }
            | Outcome::Ended) => mismatch(&Some(Answer::Lock(lock::Reply::Outcome(other)))),
        }
    }
}
