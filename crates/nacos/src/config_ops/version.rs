//! Which version of a config a client sees: a gray one that takes it, else the formal one.

use crate::{
    Views,
    fault::Fault,
    operation::Context,
    reply::{self, Rendered},
};
use config::{Audience, ConfigKey, Entry, GRAY_TAG_CHARS_MAX, Gray, GrayRule};
use form_urlencoded::byte_serialize;
use std::sync::Arc;

/// A config as one client sees it.
pub(crate) enum Version {
    Formal(Arc<Entry>),
    Gray(Arc<Gray>),
}

impl Version {
    /// The gray version that takes this audience.
    pub(crate) fn gray(views: &dyn Views, key: &ConfigKey, audience: &Audience) -> Option<Self> {
        views.grays(key).and_then(|grays| grays.of(audience).cloned()).map(Self::Gray)
    }

    pub(crate) fn seen(views: &dyn Views, key: &ConfigKey, audience: &Audience) -> Option<Self> {
        Self::gray(views, key, audience).or_else(|| views.config(key).map(Self::Formal))
    }

    pub(crate) fn entry(&self) -> &Entry {
        match self {
            Self::Formal(entry) => entry,
            Self::Gray(gray) => &gray.entry,
        }
    }

    pub(crate) fn is_beta(&self) -> bool {
        match self {
            Self::Formal(_) => false,
            Self::Gray(gray) => matches!(gray.rule, GrayRule::Beta(_)),
        }
    }

    /// The tag that it is for, as it travels in a header.
    pub(crate) fn tag(&self) -> Option<String> {
        match self {
            Self::Formal(_) => None,
            Self::Gray(gray) => match &gray.rule {
                GrayRule::Beta(_) => None,
                GrayRule::Tag(tag) => Some(byte_serialize(tag.as_bytes()).collect()),
            },
        }
    }

    /// Says on a response which version it carries.
    pub(crate) fn mark(&self, response: &mut http::Response<bytes::Bytes>) {
        if self.is_beta() {
            reply::add(response, "isbeta", "true");
        }
        if let Some(tag) = self.tag() {
            reply::add(response, "tag", &tag);
        }
    }
}

/// What decides which version the caller sees, when it asks for this tag or for none.
pub(crate) fn audience(context: &Context<'_>, asked: Option<&Arc<str>>) -> Audience {
    let Audience { addresses, tag } = context.audience();
    Audience { addresses, tag: asked.cloned().or(tag) }
}

/// A tag as a client wrote it; blank is none.
pub(crate) fn tag(text: Option<&str>) -> Result<Option<Arc<str>>, Fault> {
    let Some(tag) = text.map(str::trim).filter(|tag| !tag.is_empty()) else { return Ok(None) };
    if !tag.chars().all(|c| c.is_alphanumeric() || "_-.:".contains(c)) {
        return Err(Fault::caused(format!("invalid tag : {tag}")));
    }
    if tag.chars().count() > GRAY_TAG_CHARS_MAX {
        return Err(Fault::caused(format!("too long tag, over {GRAY_TAG_CHARS_MAX}")));
    }
    Ok(Some(tag.into()))
}

/// An answer of the framework's kind: `{"code":200,"message":…,"data":…}`.
pub(crate) fn told(
    message: impl Into<Option<&'static str>>,
    data: impl serde::Serialize,
) -> Rendered {
    #[derive(serde::Serialize)]
    struct Told<T> {
        code: u16,
        message: Option<&'static str>,
        data: T,
    }
    let body = reply::to_json(&Told { code: 200, message: message.into(), data });
    Rendered::Http(reply::http(http::StatusCode::OK, Some(reply::JSON_UTF8), body))
}
