//! POST /v1/configs: change several configs, or none of them. Details that are not given stay as they are.

use super::{config_outcome, config_put::Given};
use crate::{
    Answer, Ask, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::{PlannedChange, Written},
};
use access::{Action, Resource};
use base::Consistency;
use config::{Change, ConfigKey, Conflict, Outcome};
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let planned: Vec<PlannedChange> = asked.json()?;
    let changes = planned.into_iter().map(read).collect::<Result<Vec<Planned>, Problem>>()?;
    let resource = |planned: &Planned| Resource::Config {
        namespace: Arc::clone(&planned.key.namespace),
        group: Arc::clone(&planned.key.group),
        data_id: Arc::clone(&planned.key.data_id),
    };
    let right = Right::ToAll(Action::Write, changes.iter().map(resource).collect());
    // The details that stay are read from the views, so the views must be of now.
    Ok(Plan::new(right, ConfigPublish { changes }).fresh(Consistency::Linearizable))
}

fn read(planned: PlannedChange) -> Result<Planned, Problem> {
    let PlannedChange { namespace, group, data_id, content, remove, cas_md5, .. } = &planned;
    let or =
        |given: &Option<Arc<str>>, default: &str| given.as_deref().unwrap_or(default).to_owned();
    let key = ConfigKey {
        namespace: names::namespace(&or(namespace, access::PUBLIC_NAMESPACE))?,
        group: names::group(&or(group, names::DEFAULT_GROUP))?,
        data_id: names::data_id(data_id)?,
    };
    if content.is_some() == *remove {
        return Err(Problem::invalid(
            format!("nothing is said of what becomes of {key}"),
            "each change has either `content` or `remove: true`",
            "correct it and send all of them again",
        ));
    }
    let (cas_md5, content) = (cas_md5.as_deref().map(str::to_ascii_lowercase), content.clone());
    let given = Given {
        content_type: planned.content_type,
        app_name: planned.app,
        description: planned.description,
        tags: planned.tags,
    };
    given.check()?;
    Ok(Planned { key, content, cas_md5: cas_md5.map(Arc::from), given })
}

#[derive(Debug)]
struct Planned {
    key: ConfigKey,
    content: Option<Arc<str>>,
    cas_md5: Option<Arc<str>>,
    given: Given,
}

#[derive(Debug)]
struct ConfigPublish {
    changes: Vec<Planned>,
}

impl Operation for ConfigPublish {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let change = |planned: &Planned| {
                let Planned { key, content, cas_md5, given } = planned;
                let now = cx.views.config(key);
                let details = || given.over(now.as_deref().map(|entry| &entry.details));
                let to = content.clone().map(|content| (content, details()));
                Change { key: key.clone(), cas_md5: cas_md5.clone(), to }
            };
            let (changes, author) = (self.changes.iter().map(change).collect(), cx.author());
            return Ok(Next::Ask(Ask::Config(config::Request::PublishMany { changes, author })));
        }
        match config_outcome(answer)? {
            Outcome::Published(revision) => {
                Ok(Reply::json(&Written { revision: Some(revision.0), changed: true }))
            }
            Outcome::Conflicts(conflicts) => Err(self.conflicts(&conflicts)),
            Outcome::QuotaExceeded { bytes_max } => Err(Problem::new(
                507,
                "quota",
                "nothing was published",
                format!("all contents together would exceed {bytes_max} bytes"),
                "remove configs that are no longer used",
            )),
            other @ (Outcome::Removed { .. }
            | Outcome::CasConflict { .. }
            | Outcome::TooManyVersions { .. }) => {
                mismatch(&Some(Answer::Config(config::Reply::Outcome(other))))
            }
        }
    }
}

impl ConfigPublish {
    fn conflicts(&self, conflicts: &[Conflict]) -> Problem {
        let told = conflicts.iter().filter_map(|Conflict { at, current_md5 }| {
            let key = &self.changes.get(*at)?.key;
            Some(format!("{key} has changed: its md5 is {current_md5}"))
        });
        Problem::new(
            412,
            "cas-conflict",
            "nothing was published",
            told.collect::<Vec<_>>().join("; "),
            "read them again, and publish over what you have read",
        )
    }
}
