//! GET /v1/configs/{data_id}: a config with its content, once or (`watch=true`) each time it changes.

use super::{config_reply, config_right, no_config};
use crate::{
    Answer, Ask, CallId, Unavailable,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::Config,
    stream::Watch,
};
use access::Action;
use base::Consistency;
use config::ConfigKey;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let data_id = asked.segment(0).to_owned();
    let params = &mut asked.params;
    let key = params.config(&data_id)?;
    let watch = params.take_as("watch", "`true` or `false`")?.unwrap_or(false);
    let wanted = params.consistency(Consistency::Linearizable)?;
    let right = config_right(Action::Read, &key);
    if watch {
        return Ok(Plan::new(right, ConfigWatch { key, call: asked.call }).fresh(wanted));
    }
    Ok(Plan::new(right, ConfigGet { key }).fresh(wanted))
}

#[derive(Debug)]
struct ConfigGet {
    key: ConfigKey,
}

impl Operation for ConfigGet {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        let Some(entry) = cx.views.config(&self.key) else {
            return Err(if cx.views.is_complete() {
                no_config(&self.key)
            } else {
                Problem::unavailable(Unavailable::Starting)
            });
        };
        Ok(Reply::tagged(&Config::from(&*entry), &entry.md5))
    }
}

#[derive(Debug)]
struct ConfigWatch {
    key: ConfigKey,
    call: CallId,
}

impl Operation for ConfigWatch {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            // With the md5 of now, so that only what changes after this view is told.
            let md5 = cx.views.config(&self.key).map_or_else(|| "".into(), |e| Arc::clone(&e.md5));
            return Ok(Next::Ask(Ask::Config(config::Request::Listen {
                listener: self.call.0,
                items: vec![(self.key.clone(), md5)],
                audience: config::Audience::default(),
            })));
        }
        match config_reply(answer)? {
            // What changed meanwhile is in the view that the first event is made from.
            config::Reply::Listening(_) => {}
            other => mismatch(&Some(Answer::Config(other))),
        }
        Ok(Next::Watch(Watch::Config { key: self.key.clone(), changed: true, sent: None }))
    }
}
