//! DELETE /v1/configs/{data_id}.

use super::{config_outcome, config_put::refuse_other_conditions, config_right, no_config};
use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::Written,
};
use access::Action;
use config::{ConfigKey, Outcome};
use http::header::{IF_MATCH, IF_NONE_MATCH};

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let data_id = asked.segment(0).to_owned();
    let key = asked.params.config(&data_id)?;
    refuse_other_conditions(&asked.headers, &[IF_MATCH, IF_NONE_MATCH])?;
    Ok(Plan::new(config_right(Action::Write, &key), ConfigDelete { key }))
}

#[derive(Debug)]
struct ConfigDelete {
    key: ConfigKey,
}

impl Operation for ConfigDelete {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let (key, author) = (self.key.clone(), cx.author());
            return Ok(Next::Ask(Ask::Config(config::Request::Remove { key, author })));
        }
        match config_outcome(answer)? {
            Outcome::Removed { existed: true } => {
                Ok(Reply::json(&Written { revision: None, changed: true }))
            }
            Outcome::Removed { existed: false } => Err(no_config(&self.key)),
            other @ (Outcome::Published(_)
            | Outcome::CasConflict { .. }
            | Outcome::QuotaExceeded { .. }
            | Outcome::Conflicts(_)
            | Outcome::TooManyVersions { .. }) => {
                mismatch(&Some(Answer::Config(config::Reply::Outcome(other))))
            }
        }
    }
}
