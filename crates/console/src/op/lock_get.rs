//! GET /v1/locks/{key}: who holds a lock.

use super::lock_right;
use crate::{
    Answer,
    operation::{Asked, Context, Next, Operation, Plan, Reply},
    problem::Problem,
    shape::Lock,
};
use access::Action;
use base::Consistency;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let key = asked.segment(0).to_owned();
    let wanted = asked.params.consistency(Consistency::Linearizable)?;
    Ok(Plan::new(lock_right(Action::Read, &key), LockGet { key }).fresh(wanted))
}

#[derive(Debug)]
struct LockGet {
    key: String,
}

impl Operation for LockGet {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        match cx.views.lock(&self.key) {
            Some(view) => Ok(Reply::json(&Lock::from(&*view))),
            None => Err(Problem::not_found(
                format!("nobody holds the lock {}", self.key),
                "`trine lock list` shows which are held",
            )),
        }
    }
}
