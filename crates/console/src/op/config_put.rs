//! PUT /v1/configs/{data_id}: publish the body as content; with `If-Match: "md5"` only over that content. Details that
//! are not given stay as they are.

use super::{config_outcome, config_right};
use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::Written,
};
use access::Action;
use base::Consistency;
use config::{ConfigKey, Details, Outcome};
use http::{
    HeaderMap,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use std::sync::Arc;

/// What the config plane knows as types.
const TYPES: [&str; 8] = ["properties", "xml", "json", "text", "html", "yaml", "toml", "unset"];

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let data_id = asked.segment(0).to_owned();
    let key = asked.params.config(&data_id)?;
    let mut text = |name| asked.params.take(name).map(Arc::from);
    let (content_type, app_name): (Option<Arc<str>>, _) = (text("type"), text("app"));
    let (description, tags) = (text("description"), text("tags"));
    let given = Given { content_type, app_name, description, tags };
    given.check()?;
    let cas_md5 = condition(&asked.headers)?;
    let content = std::str::from_utf8(&asked.body).map_err(|error| {
        Problem::invalid(
            "nothing was published",
            format!("the content is not UTF-8: {error}"),
            "convert it, or publish it in a text form such as base64",
        )
    })?;
    let content = content.into();
    let right = config_right(Action::Write, &key);
    // The details that stay are read from the view, so the view must be of now.
    Ok(Plan::new(right, ConfigPut { key, content, cas_md5, given })
        .fresh(Consistency::Linearizable))
}

/// The md5 of `If-Match`.
fn condition(headers: &HeaderMap) -> Result<Option<Arc<str>>, Problem> {
    refuse_other_conditions(headers, &[IF_NONE_MATCH])?;
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let tag = value.to_str().ok().and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"'));
    match tag {
        Some(md5) if md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(Some(md5.to_ascii_lowercase().into()))
        }
        _ => Err(Problem::invalid(
            "the header If-Match is not understood",
            "it must be one md5 in double quotes, as the header ETag of a read has it",
            "read the config and send its ETag",
        )),
    }
}

/// A condition that is not checked must not seem to hold.
pub(super) fn refuse_other_conditions(
    headers: &HeaderMap,
    names: &[http::HeaderName],
) -> Result<(), Problem> {
    match names.iter().find(|name| headers.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(Problem::invalid(
            format!("the condition {name} is not supported here"),
            "nothing would check it",
            "leave it out",
        )),
    }
}

#[derive(Debug)]
struct ConfigPut {
    key: ConfigKey,
    content: Arc<str>,
    cas_md5: Option<Arc<str>>,
    given: Given,
}

/// Details as far as they are given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) content_type: Option<Arc<str>>,
    pub(super) app_name: Option<Arc<str>>,
    pub(super) description: Option<Arc<str>>,
    pub(super) tags: Option<Arc<str>>,
}

impl Given {
    /// A type that nobody knows is a slip of the pen.
    pub(super) fn check(&self) -> Result<(), Problem> {
        match self.content_type.as_deref().filter(|name| !TYPES.contains(name)) {
            None => Ok(()),
            Some(wrong) => Err(Problem::invalid(
                format!("parameter `type` is `{wrong}`"),
                format!("it must be one of {}", TYPES.join(", ")),
                "correct it or leave it out",
            )),
        }
    }

    pub(super) fn over(&self, now: Option<&Details>) -> Details {
        let now = now.cloned().unwrap_or_default();
        let or = |given: &Option<Arc<str>>, kept| given.clone().unwrap_or(kept);
        Details {
            content_type: or(&self.content_type, now.content_type),
            app_name: or(&self.app_name, now.app_name),
            description: or(&self.description, now.description),
            tags: or(&self.tags, now.tags),
            // It decrypts the content that is replaced, not this one.
            encrypted_data_key: "".into(),
            usage: now.usage,
            effect: now.effect,
            schema: now.schema,
        }
    }
}

impl Operation for ConfigPut {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let now = cx.views.config(&self.key);
            return Ok(Next::Ask(Ask::Config(config::Request::Publish {
                key: self.key.clone(),
                content: Arc::clone(&self.content),
                cas_md5: self.cas_md5.clone(),
                details: self.given.over(now.as_deref().map(|entry| &entry.details)),
                author: cx.author(),
            })));
        }
        match config_outcome(answer)? {
            Outcome::Published(revision) => {
                Ok(Reply::json(&Written { revision: Some(revision.0), changed: true }))
            }
            Outcome::CasConflict { current_md5 } => Err(Problem::new(
                412,
                "cas-conflict",
                "nothing was published",
                if current_md5.is_empty() {
                    "the config does not exist any more".to_owned()
                } else {
                    format!("the config has changed: its md5 is {current_md5}")
                },
                "read it again, and publish over what you have read",
            )),
            Outcome::QuotaExceeded { bytes_max } => Err(Problem::new(
                507,
                "quota",
                "nothing was published",
                format!("all contents together would exceed {bytes_max} bytes"),
                "remove configs that are no longer used",
            )),
            other @ (Outcome::Removed { .. }
            | Outcome::TooManyVersions { .. }
            | Outcome::Conflicts(_)) => {
                mismatch(&Some(Answer::Config(config::Reply::Outcome(other))))
            }
        }
    }
}
