//! Set a config, or a gray version of it: gRPC `ConfigPublishRequest`, `POST /v1/cs/configs`.

use super::{
    clone::CloneConfigs,
    fields::{CAS_CONFLICT, author, key_of_form, request_of_config, resource},
    import::ImportConfigs,
    version,
};
use crate::{
    Answer, Ask,
    fault::{ErrorCode, Fault, Shape},
    form::Form,
    grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::{self, Door, Nothing, Rendered},
};
use config::{ConfigKey, Details, GrayRule, Outcome, Reply, Request};
use http::StatusCode;
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug)]
pub(crate) struct Publish {
    key: ConfigKey,
    content: Arc<str>,
    cas_md5: Option<Arc<str>>,
    details: Details,
    /// Only for some clients; what the others see stays as it is.
    gray: Option<GrayRule>,
    /// Whom the client names as the author.
    source_user: String,
}

request_of_config! {
    struct Body {
        #[serde(deserialize_with = "json::text")]
        content: Option<String>,
        #[serde(deserialize_with = "json::text")]
        cas_md5: Option<String>,
        #[serde(deserialize_with = "json::texts")]
        addition_map: BTreeMap<Arc<str>, Arc<str>>,
    }
}

/// Characters of the author that a client names.
const SOURCE_USER_CHARS_MAX: usize = 128;

/// The types that Nacos knows; anything else is text.
const TYPES: [&str; 8] = ["properties", "xml", "json", "text", "html", "yaml", "toml", "unset"];

impl Publish {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let mut body: Body = grpc::read(body)?;
        let fields = body.config();
        fields.filter()?;
        let key = fields.key_or_fault()?;
        let Some(content) = body.content else {
            return Err(Fault::caused("content is blank : null"));
        };
        Self::checked(key, &content, body.cas_md5.as_deref(), |name| {
            body.addition_map.get(name).map(|text| &**text)
        })
    }

    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        if form.flag("import", false) {
            return ImportConfigs::from_http(form);
        }
        if form.flag("clone", false) {
            return CloneConfigs::from_http(form);
        }
        Self::from_http_v2(form)
    }

    pub(crate) fn from_http_v2(form: &Form) -> Result<Operation, Fault> {
        let key = key_of_form(form)?;
        let content = form.get("content").ok_or_else(|| Fault::missing("content"))?;
        Self::checked(key, content, form.header("casMd5"), |name| match name {
            "betaIps" => form.header(name).or_else(|| form.get(name)),
            _ => form.get(name),
        })
    }

    fn checked<'a>(
        key: ConfigKey,
        content: &str,
        cas_md5: Option<&str>,
        get: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Operation, Fault> {
        if content.trim().is_empty() {
            return Err(Fault::caused("content is blank : "));
        }
        let some = |name| get(name).map(str::trim).filter(|text| !text.is_empty());
        let tag = version::tag(get("tag"))?;
        let gray = match some("betaIps") {
            Some(addresses) => Some(GrayRule::Beta(addresses.into())),
            None => tag.map(GrayRule::Tag),
        };
        let text = |name| -> Arc<str> { some(name).unwrap_or_default().into() };
        let encrypted_data_key = text("encryptedDataKey");
        if encrypted_data_key.chars().any(char::is_control) {
            // It travels in an HTTP header.
            return Err(Fault::caused("invalid encryptedDataKey : control characters"));
        }
        let source_user = some("src_user").unwrap_or_default().to_owned();
        if source_user.chars().count() > SOURCE_USER_CHARS_MAX {
            return Err(Fault::caused(format!(
                "invalid src_user: more than {SOURCE_USER_CHARS_MAX} characters"
            )));
        }
        let kind = some("type").unwrap_or_default().to_ascii_lowercase();
        let kind = TYPES.iter().find(|known| **known == kind).unwrap_or(&"text");
        let details = Details {
            content_type: (*kind).into(),
            encrypted_data_key,
            app_name: text("appName"),
            description: text("desc"),
            tags: text("config_tags"),
            usage: text("use"),
            effect: text("effect"),
            schema: text("schema"),
        };
        Ok(Self {
            key,
            content: content.into(),
            cas_md5: cas_md5.map(str::trim).filter(|md5| !md5.is_empty()).map(Arc::from),
            details,
            gray,
            source_user,
        }
        .into())
    }
}

impl Operate for Publish {
    fn need(&self) -> Need {
        Need::write(resource(&self.key))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let (key, content) = (self.key.clone(), self.content.clone());
        let (cas_md5, details) = (self.cas_md5.clone(), self.details.clone());
        let author = author(context, &self.source_user);
        Next::Ask(Ask::Config(match self.gray.clone() {
            None => Request::Publish { key, content, cas_md5, details, author },
            Some(rule) => {
                let details = Box::new(details);
                Request::PublishGray { key, rule, content, cas_md5, details, author }
            }
        }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::Published(_)))) => {
                Next::Reply(yes(context.door))
            }
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::CasConflict { .. }))) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                let fault = Fault::new(Shape::Caused, status, 500, CAS_CONFLICT);
                Next::Fault(fault.with(ErrorCode::Conflict))
            }
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::QuotaExceeded { bytes_max }))) => {
                let text = format!(
                    "all configs together would exceed {bytes_max} bytes: nothing was published; remove some or raise the quota"
                );
                Next::Fault(Fault::new(Shape::Caused, StatusCode::INSUFFICIENT_STORAGE, 500, text))
            }
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::TooManyVersions { limit }))) => {
                let text = format!("gray config version is over max count :{limit}");
                Next::Fault(Fault::caused(text).with(ErrorCode::TooManyGrays))
            }
            event => failed(event),
        }
    }
}

/// The answer of a change of a config.
pub(crate) fn yes(door: &Door) -> Rendered {
    match door {
        Door::Http { .. } => {
            Rendered::Http(reply::http(StatusCode::OK, Some(reply::JSON_UTF8), "true"))
        }
        Door::Grpc { .. } => door.ok(Nothing {}),
    }
}
