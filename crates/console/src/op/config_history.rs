//! GET /v1/configs/{data_id}/history: the changes of a config, newest first, page by page.

use super::{config_reply, config_right};
use crate::{
    Answer, Ask,
    dates::rfc3339,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::{ConfigChange, ConfigHistory},
};
use access::Action;
use base::{Consistency, Revision};
use config::{ConfigKey, HistoryRow, Operation as Change};
use std::sync::Arc;

/// Changes of one page when `limit` is not given.
const CHANGES_DEFAULT: usize = 20;
/// Changes of one page at most: each is read from disk with its content.
const CHANGES_MAX: usize = 100;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let data_id = asked.segment(0).to_owned();
    let params = &mut asked.params;
    let key = params.config(&data_id)?;
    let before = params.take_as("before", "a revision")?.map(Revision);
    let limit = params.limit(CHANGES_DEFAULT, CHANGES_MAX)?;
    let content = params.take_as("content", "`true` or `false`")?.unwrap_or(false);
    let wanted = params.consistency(Consistency::Linearizable)?;
    let right = config_right(Action::Read, &key);
    Ok(Plan::new(right, ConfigChanges { key, before, limit, content }).fresh(wanted))
}

#[derive(Debug)]
struct ConfigChanges {
    key: ConfigKey,
    before: Option<Revision>,
    limit: usize,
    content: bool,
}

impl Operation for ConfigChanges {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            return Ok(Next::Ask(Ask::Config(config::Request::History {
                key: self.key.clone(),
                before: self.before,
                limit: self.limit,
            })));
        }
        match config_reply(answer)? {
            config::Reply::History(rows) => {
                // A page may be short because its contents are long: only an empty one is the last.
                let before = rows.last().map(|row| row.revision.0);
                let changes = rows.iter().map(|row| self.change(row)).collect();
                Ok(Reply::json(&ConfigHistory { changes, before }))
            }
            other => mismatch(&Some(Answer::Config(other))),
        }
    }
}

impl ConfigChanges {
    fn change(&self, row: &HistoryRow) -> ConfigChange {
        let operation = match row.operation {
            Change::Insert => "insert",
            Change::Update => "update",
            Change::Delete => "delete",
        };
        ConfigChange {
            revision: row.revision.0,
            operation: operation.to_owned(),
            md5: Arc::clone(&row.entry.md5),
            bytes: row.entry.content.len(),
            modified_at: rfc3339(row.entry.modified_ms),
            modified_by: Arc::clone(&row.entry.author.user),
            address: Arc::clone(&row.entry.author.address),
            gray: row.gray.as_ref().map(|rule| rule.name().to_string()),
            content: self.content.then(|| Arc::clone(&row.entry.content)),
        }
    }
}
