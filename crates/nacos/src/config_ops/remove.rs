//! Remove a config, or a gray version of it: gRPC `ConfigRemoveRequest`, `DELETE /v1/cs/configs` (also with `beta=true`).

use super::{
    fields::{author, key_of_form, request_of_config, resource},
    publish::yes,
    remove_many::RemoveConfigs,
    version,
};
use crate::{
    Answer, Ask,
    fault::Fault,
    form::Form,
    grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
};
use config::{ConfigKey, GrayName, Outcome, Reply, Request};

#[derive(Debug)]
pub(crate) struct RemoveConfig {
    key: ConfigKey,
    /// Only this version of it.
    gray: Option<GrayName>,
}

request_of_config! {
    struct Body {
        #[serde(deserialize_with = "json::text")]
        tag: Option<String>,
    }
}

impl RemoveConfig {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let mut body: Body = grpc::read(body)?;
        let fields = body.config();
        fields.filter()?;
        let gray = version::tag(body.tag.as_deref())?.map(GrayName::Tag);
        Ok(Self { key: fields.key_or_fault()?, gray }.into())
    }

    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        if form.some("delType") == Some("ids") {
            return RemoveConfigs::from_http(form);
        }
        Self::of(form, form.flag("beta", false))
    }

    pub(crate) fn from_http_v2(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, false)
    }

    fn of(form: &Form, beta: bool) -> Result<Operation, Fault> {
        let key = key_of_form(form)?;
        let tagged = version::tag(form.get("tag"))?.map(GrayName::Tag);
        let gray = if beta { Some(GrayName::Beta) } else { tagged };
        Ok(Self { key, gray }.into())
    }
}

impl Operate for RemoveConfig {
    fn need(&self) -> Need {
        Need::write(resource(&self.key))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let (key, author) = (self.key.clone(), author(context, ""));
        Next::Ask(Ask::Config(match self.gray.clone() {
            None => Request::Remove { key, author },
            Some(name) => Request::RemoveGray { key, name, author },
        }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::Removed { existed: _ }))) => {
                Next::Reply(match self.gray {
                    Some(GrayName::Beta) => version::told("stop beta ok", true),
                    Some(GrayName::Tag(_)) | None => yes(context.door),
                })
            }
            event => failed(event),
        }
    }
}
