//! GET /v1/locks: the locks that are held.

use super::lock_right;
use crate::{
    Answer,
    operation::{Asked, Context, Next, Operation, Plan, Reply},
    problem::Problem,
    shape::{List, Lock},
};
use access::Action;
use base::Consistency;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let params = &mut asked.params;
    let contains = params.take("contains").unwrap_or_default();
    let page = params.page()?;
    let wanted = params.consistency(Consistency::Linearizable)?;
    Ok(Plan::new(lock_right(Action::Read, "*"), LockList { contains, page }).fresh(wanted))
}

#[derive(Debug)]
struct LockList {
    contains: String,
    page: (usize, usize),
}

impl Operation for LockList {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        let (offset, limit) = self.page;
        let page = cx.views.locks(&self.contains, offset, limit);
        let items = page.items.iter().map(|view| Lock::from(&**view)).collect();
        Ok(Reply::json(&List { count: page.count, offset, items }))
    }
}
