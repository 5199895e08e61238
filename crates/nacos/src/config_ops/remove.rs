//! Remove a config: gRPC `ConfigRemoveRequest`, `DELETE /v1/cs/configs` (also with `beta=true`).

use super::fields::{ConfigFields, author, key_of_form, no_gray, refused, resource};
use super::publish::yes;
use crate::{
    Answer, Ask,
    fault::Fault,
    form::Form,
    grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation, unexpected},
    reply::{self, Rendered},
};
use config::{ConfigKey, Outcome, Reply, Request};
use http::StatusCode;
use serde::Deserialize;

#[derive(Debug)]
pub(crate) struct RemoveConfig {
    key: ConfigKey,
    /// Only the version for a few addresses, of which there is none yet.
    beta: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    #[serde(flatten)]
    config: ConfigFields,
    #[serde(deserialize_with = "json::text")]
    tag: Option<String>,
}

impl RemoveConfig {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let body: Body = grpc::read(body)?;
        body.config.filter()?;
        if body.tag.is_some_and(|tag| !tag.trim().is_empty()) {
            return Err(no_gray("tag"));
        }
        Ok(Self { key: body.config.key_or_fault()?, beta: false }.into())
    }

    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        if form.some("delType").is_some() {
            return Err(Fault::not_served("not served yet: configs?delType="));
        }
        if form.some("tag").is_some() {
            return Err(no_gray("tag"));
        }
        Ok(Self { key: key_of_form(form)?, beta: form.flag("beta", false) }.into())
    }
}

impl Operate for RemoveConfig {
    fn need(&self) -> Need {
        Need::write(resource(&self.key))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        if self.beta {
            let body = r#"{"code":200,"message":"stop beta ok","data":true}"#;
            let response = reply::http(StatusCode::OK, Some(reply::JSON_UTF8), body);
            return Next::Reply(Rendered::Http(response));
        }
        let (key, author) = (self.key.clone(), author(context, ""));
        Next::Ask(Ask::Config(Request::Remove { key, author }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::Removed { existed: _ }))) => {
                Next::Reply(yes(context.door))
            }
            Event::Answer(Answer::Config(Reply::Refused(refusal))) => {
                Next::Fault(refused(&refusal))
            }
            event => unexpected(event),
        }
    }
}
