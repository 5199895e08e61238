//! Find configs: `GET /v1/cs/configs?search=accurate|blur`, and all of a namespace: `GET /v1/cs/history/configs`.
//!
//! Answered from the views: a search holds nobody up, and shows no single moment.

use super::fields::tenant_of_form;
use crate::{
    fault::{Fault, Shape},
    filter::Filter,
    form::{self, Form},
    operation::{Context, Need, Next, Operate, Operation},
    reply::{self, Rendered},
};
use access::{Action, Resource};
use base::Consistency;
use config::Entry;
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

/// Configs of one page; a page that is asked for larger is cut to it.
pub(crate) const PAGE_SIZE_MAX: usize = 500;
/// Contents of one page, in bytes. A page beyond it is refused: one with gaps would be taken for complete.
pub(crate) const PAGE_BYTES_MAX: usize = 64 << 20;
/// Configs of one namespace in one answer without contents. More are refused, for the same reason.
pub(crate) const NAMESPACE_CONFIGS_MAX: usize = 100_000;

#[derive(Debug)]
pub(crate) struct SearchConfigs {
    namespace: Arc<str>,
    /// As the client wrote it.
    tenant: String,
    group: Filter,
    data_id: Filter,
    app_name: Filter,
    content: Filter,
    /// Any of these; all when empty.
    tags: Vec<String>,
    types: Vec<String>,
    /// Whose configs are looked at, for the right to do it.
    scope: Resource,
    shown: Shown,
}

/// In which form the result is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// A page with contents. From 1.
    Page { number: usize, size: usize, blurred: bool },
    /// All without contents.
    Names,
}

impl SearchConfigs {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let blurred = match form.some("search") {
            Some("blur") => true,
            Some("accurate") | None => false,
            Some(other) => {
                let told = format!("invalid search : {other}: accurate or blur is taken");
                return Err(Fault::caused(told));
            }
        };
        let required = |name| form.get(name).map(str::trim).ok_or_else(|| Fault::missing(name));
        let count = |name| {
            form.some(name).ok_or_else(|| Fault::missing_of(name, "int"))?;
            form.count(name)
        };
        let (data_id, group) = (required("dataId")?, required("group")?);
        let (number, size) = (count("pageNo")?, count("pageSize")?.min(PAGE_SIZE_MAX));
        let filter = if blurred { Filter::blurred } else { Filter::accurate };
        let named = |name| filter(form.some(name).unwrap_or_default());
        let list = |name| -> Vec<String> {
            let texts = form.some(name).unwrap_or_default().split(',').map(str::trim);
            texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
        };
        let or_all = |text: &str| if text.is_empty() { "*".into() } else { text.into() };
        let namespace = form::canonical(tenant_of_form(form));
        Ok(Self {
            scope: Resource::Config {
                namespace: namespace.clone(),
                group: or_all(group),
                data_id: or_all(data_id),
            },
            namespace,
            tenant: tenant_of_form(form).unwrap_or_default().to_owned(),
            group: filter(group),
            data_id: filter(data_id),
            app_name: named("appName"),
            content: named("config_detail"),
            tags: list("config_tags"),
            types: list("types"),
            shown: Shown::Page { number, size, blurred },
        }
        .into())
    }

    pub(crate) fn of_namespace(form: &Form) -> Result<Operation, Fault> {
        let tenant = tenant_of_form(form).ok_or_else(|| Fault::missing("tenant"))?;
        let namespace = form::canonical(Some(tenant));
        let all = || "*".into();
        Ok(Self {
            scope: Resource::Config { namespace: namespace.clone(), group: all(), data_id: all() },
            namespace,
            tenant: tenant.to_owned(),
            group: Filter::default(),
            data_id: Filter::default(),
            app_name: Filter::default(),
            content: Filter::default(),
            tags: Vec::new(),
            types: Vec::new(),
            shown: Shown::Names,
        }
        .into())
    }

    fn wants(&self, entry: &Entry) -> bool {
        let Entry { key, content, details, .. } = entry;
        let tagged = |tag: &String| details.tags.split(',').any(|own| own.trim() == tag);
        self.data_id.takes(&key.data_id)
            && self.group.takes(&key.group)
            && self.app_name.takes(&details.app_name)
            && (self.types.is_empty() || self.types.iter().any(|t| **t == *details.content_type))
            && (self.tags.is_empty() || self.tags.iter().any(tagged))
            && self.content.takes(content)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    id: String,
    data_id: &'a str,
    group: &'a str,
    content: Option<&'a str>,
    md5: Option<&'a str>,
    encrypted_data_key: Option<&'a str>,
    tenant: &'a str,
    app_name: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<u64>,
}

impl Operate for SearchConfigs {
    fn need(&self) -> Need {
        Need::Right {
            action: Action::Read,
            resources: vec![self.scope.clone()],
            consistency: Consistency::Linearizable,
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let (offset, limit) = match self.shown {
            Shown::Page { number, size, .. } => ((number - 1).saturating_mul(size), size),
            Shown::Names => (0, NAMESPACE_CONFIGS_MAX),
        };
        let wanted = |entry: &Entry| self.wants(entry);
        let found = context.views.configs(Some(&self.namespace), &wanted, offset, limit);
        match self.shown {
            Shown::Page { number, size, blurred } => self.page(&found, number, size, blurred),
            Shown::Names if found.count > found.items.len() => Next::Fault(too_much(format!(
                "{} configs are more than the limit of {NAMESPACE_CONFIGS_MAX} in one answer: search page by page",
                found.count
            ))),
            Shown::Names => {
                let lines: Vec<Line<'_>> = found.items.iter().map(|e| self.name(e)).collect();
                Next::Reply(json(&lines))
            }
        }
    }
}

impl SearchConfigs {
    fn page(
        &self,
        found: &crate::Page<Arc<Entry>>,
        number: usize,
        size: usize,
        blurred: bool,
    ) -> Next {
        let bytes: usize = found.items.iter().map(|entry| entry.content.len()).sum();
        if bytes > PAGE_BYTES_MAX {
            return Next::Fault(too_much(format!(
                "a page with {bytes} bytes of content is over the limit of {PAGE_BYTES_MAX}: ask for smaller pages"
            )));
        }
        let lines = found.items.iter().map(|entry| {
            let key = &entry.details.encrypted_data_key;
            let given = Some(&**key).filter(|key| blurred || !key.is_empty());
            let content = Some(&*entry.content);
            Line { content, encrypted_data_key: given, last_modified: None, ..self.name(entry) }
        });
        Next::Reply(json(&Page {
            total_count: found.count,
            page_number: number,
            pages_available: found.count.div_ceil(size),
            page_items: lines.collect(),
        }))
    }

    fn name<'a>(&'a self, entry: &'a Entry) -> Line<'a> {
        Line {
            id: entry.created.0.to_string(),
            data_id: &entry.key.data_id,
            group: &entry.key.group,
            content: None,
            md5: None,
            encrypted_data_key: None,
            tenant: &self.tenant,
            app_name: &entry.details.app_name,
            r#type: &entry.details.content_type,
            last_modified: Some(entry.modified_ms),
        }
    }
}

/// A page as all of Nacos's lists are shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    pub(crate) total_count: usize,
    pub(crate) page_number: usize,
    pub(crate) pages_available: usize,
    pub(crate) page_items: Vec<T>,
}

pub(crate) fn json(value: &impl Serialize) -> Rendered {
    Rendered::Http(reply::http(StatusCode::OK, Some(reply::JSON_UTF8), reply::to_json(value)))
}

fn too_much(text: String) -> Fault {
    Fault::new(Shape::Caused, StatusCode::BAD_REQUEST, 400, text)
}
