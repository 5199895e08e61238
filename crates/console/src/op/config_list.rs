//! GET /v1/configs: the configs of a namespace, without their contents.

use crate::{
    Answer, Filter,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right},
    problem::Problem,
    shape::{ConfigLine, List},
};
use access::{Action, Resource};
use base::Consistency;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let params = &mut asked.params;
    let (namespace, filter, page) = (params.namespace()?, params.filter()?, params.page()?);
    let wanted = params.consistency(Consistency::Linearizable)?;
    let resource = Resource::Config {
        namespace: Arc::clone(&namespace),
        group: filter.group.clone().unwrap_or_else(|| "*".into()),
        data_id: "*".into(),
    };
    let list = ConfigList { namespace, filter, page };
    Ok(Plan::new(Right::To(Action::Read, resource), list).fresh(wanted))
}

#[derive(Debug)]
struct ConfigList {
    namespace: Arc<str>,
    filter: Filter,
    page: (usize, usize),
}

impl Operation for ConfigList {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        let (offset, limit) = self.page;
        let page = cx.views.configs(&self.namespace, &self.filter, offset, limit);
        let items = page.items.iter().map(|entry| ConfigLine::from(&**entry)).collect();
        Ok(Reply::json(&List { count: page.count, offset, items }))
    }
}
