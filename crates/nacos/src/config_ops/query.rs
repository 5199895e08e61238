//! Read a config: gRPC `ConfigQueryRequest`, `GET /v1/cs/configs` (also with `show=all`, `beta=true`), `/v1/cs/configs/catalog`, `/v2/cs/config`,
//! `/v3/client/cs/config`.

use super::{
    export::ExportConfigs,
    fields::{self, key_of_form, request_of_config, resource},
    search::SearchConfigs,
    version::{self, Version},
};
use crate::{
    dates,
    fault::{ErrorCode, Fault},
    form::{self, Form},
    grpc, json,
    operation::{Context, Need, Next, Operate, Operation},
    reply::{self, Door, Rendered},
};
use base::Consistency;
use config::{ConfigKey, Entry, GrayName};
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct QueryConfig {
    /// `None`: a blank name, under which nothing can be.
    key: Option<ConfigKey>,
    view: View,
    /// Only the version under this tag, or one that comes before it.
    tag: Option<Arc<str>>,
    /// As the client wrote it.
    tenant: String,
}

/// What of it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Content,
    /// Everything, as the old console shows it.
    Details,
    /// What is said of it besides its content.
    Catalog,
    /// The version for a few addresses, whoever asks.
    Beta,
    /// The content in the form of gRPC's answer, as clients of v3 read it over HTTP.
    Response,
}

request_of_config! {
    struct Body {
        #[serde(deserialize_with = "json::text")]
        tag: Option<String>,
    }
}

impl QueryConfig {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let mut body: Body = grpc::read(body)?;
        let fields = body.config();
        fields.filter()?;
        let (view, tag) = (View::Content, version::tag(body.tag.as_deref())?);
        Ok(Self { key: fields.key(), view, tag, tenant: String::new() }.into())
    }

    /// For clients of v3. Nacos looks at the group first, and words what is missing as nowhere else.
    pub(crate) fn from_http_v3(form: &Form) -> Result<Operation, Fault> {
        let required = |name| {
            let text = format!("Required parameter '{name}' type String is not present");
            form.some(name).ok_or_else(|| Fault::caused(text))
        };
        let (group, data_id) = (required("groupName")?.into(), required("dataId")?.into());
        let namespace = form::canonical(form.get("namespaceId"));
        let key = Some(ConfigKey { namespace, group, data_id });
        Ok(Self { key, view: View::Response, tag: None, tenant: String::new() }.into())
    }

    /// What is said of a config, without its content.
    pub(crate) fn catalog(form: &Form) -> Result<Operation, Fault> {
        let (key, view) = (Some(key_of_form(form)?), View::Catalog);
        Ok(Self { key, view, tag: None, tenant: String::new() }.into())
    }

    /// Only the content as this client sees it.
    pub(crate) fn from_http_v2(form: &Form) -> Result<Operation, Fault> {
        let (key, tag) = (key_of_form(form)?, version::tag(form.get("tag"))?);
        Ok(Self { key: Some(key), view: View::Content, tag, tenant: String::new() }.into())
    }

    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        if form.some("search").is_some() {
            return SearchConfigs::from_http(form);
        }
        if form.flag("export", false) || form.flag("exportV2", false) {
            return ExportConfigs::from_http(form);
        }
        let view = if form.flag("beta", false) {
            View::Beta
        } else if form.some("show") == Some("all") {
            View::Details
        } else {
            View::Content
        };
        let tenant = fields::tenant_of_form(form).unwrap_or_default().to_owned();
        let (key, tag) = (key_of_form(form)?, version::tag(form.get("tag"))?);
        Ok(Self { key: Some(key), view, tag, tenant }.into())
    }
}

impl Operate for QueryConfig {
    fn need(&self) -> Need {
        match &self.key {
            Some(key) => Need::read(resource(key), Consistency::Linearizable),
            None => Need::Ready,
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        // What is not here may be elsewhere, and clients take "not found" for "deleted".
        if self.key.is_some() && !context.views.is_complete() && !self.is_there(context) {
            return Next::Fault(Fault::starting());
        }
        if self.view == View::Beta {
            return Next::Reply(self.beta(context));
        }
        if self.view == View::Catalog {
            let entry = self.key.as_ref().and_then(|key| context.views.config(key));
            return Next::Reply(catalog(entry.as_deref()));
        }
        match (self.version(context), context.door) {
            (None, Door::Grpc { .. }) => Next::Reply(context.door.answer(
                500,
                300,
                Some(fields::NOT_FOUND),
                Absent { last_modified: 0, beta: false },
            )),
            (version, Door::Http { .. }) if self.view == View::Response => {
                Next::Reply(response(version.as_ref()))
            }
            (None, Door::Http { .. }) => Next::Reply(not_found()),
            (Some(version), Door::Grpc { .. }) => {
                let entry = version.entry();
                Next::Reply(context.door.ok(Found {
                    content: &entry.content,
                    encrypted_data_key: &entry.details.encrypted_data_key,
                    content_type: kind(entry),
                    md5: &entry.md5,
                    last_modified: entry.modified_ms,
                    tag: version.tag(),
                    beta: version.is_beta(),
                }))
            }
            (Some(version), Door::Http { .. }) => Next::Reply(if self.view == View::Details {
                details(version.entry(), &self.tenant)
            } else {
                content(&version, context.door.is_wrapped())
            }),
        }
    }
}

impl QueryConfig {
    /// Whether there is anything to show.
    fn is_there(&self, context: &Context<'_>) -> bool {
        let beta = |grays: Arc<config::Grays>| grays.versions.contains_key(&GrayName::Beta);
        match self.view {
            View::Beta => {
                self.key.as_ref().and_then(|key| context.views.grays(key)).is_some_and(beta)
            }
            View::Content | View::Details | View::Catalog | View::Response => {
                self.version(context).is_some()
            }
        }
    }

    /// What this caller sees. Whoever asks for a tag is never given what has none.
    fn version(&self, context: &Context<'_>) -> Option<Version> {
        let (views, key) = (context.views, self.key.as_ref()?);
        match (self.view, &self.tag) {
            (View::Details | View::Beta | View::Catalog, _) => {
                views.config(key).map(Version::Formal)
            }
            (View::Content | View::Response, None) => {
                Version::seen(views, key, &context.audience())
            }
            (View::Content | View::Response, Some(tag)) => {
                Version::gray(views, key, &version::audience(context, Some(tag)))
            }
        }
    }

    /// The beta version as the console shows it, or null.
    fn beta(&self, context: &Context<'_>) -> Rendered {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Beta<'a> {
            id: String,
            data_id: &'a str,
            group: &'a str,
            content: &'a str,
            md5: &'a str,
            encrypted_data_key: Option<&'a str>,
            tenant: &'a str,
            app_name: &'a str,
            /// Nacos never tells it here; null also stands for the type that nobody gave.
            r#type: Option<&'a str>,
            beta_ips: &'a str,
        }
        let grays = self.key.as_ref().and_then(|key| context.views.grays(key));
        let gray = grays.as_ref().and_then(|grays| grays.versions.get(&GrayName::Beta));
        let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let shown = gray.map(|gray| {
            let Entry { key, content, md5, details, created, .. } = &gray.entry;
            Beta {
                id: created.0.to_string(),
                data_id: &key.data_id,
                group: &key.group,
                content,
                md5,
                encrypted_data_key: given(&details.encrypted_data_key),
                tenant: &self.tenant,
                app_name: &details.app_name,
                r#type: given(&details.content_type).filter(|kind| *kind != "text"),
                beta_ips: gray.rule.text(),
            }
        });
        version::told("query beta ok", shown)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    content: &'a str,
    encrypted_data_key: &'a str,
    content_type: &'a str,
    md5: &'a str,
    last_modified: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    beta: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Absent {
    last_modified: u64,
    beta: bool,
}

fn response(version: Option<&Version>) -> Rendered {
    #[derive(Serialize)]
    struct Wrapped<'a> {
        code: u32,
        message: &'static str,
        data: Option<Response<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Response<'a> {
        result_code: u16,
        error_code: u16,
        message: Option<&'a str>,
        request_id: Option<&'a str>,
        content: &'a str,
        encrypted_data_key: &'a str,
        content_type: &'a str,
        md5: &'a str,
        last_modified: u64,
        tag: Option<String>,
        beta: bool,
        success: bool,
    }
    let data = version.map(|version| {
        let entry = version.entry();
        Response {
            result_code: 200,
            error_code: 0,
            message: None,
            request_id: None,
            content: &entry.content,
            encrypted_data_key: &entry.details.encrypted_data_key,
            content_type: kind(entry),
            md5: &entry.md5,
            last_modified: entry.modified_ms,
            tag: version.tag(),
            beta: version.is_beta(),
            success: true,
        }
    });
    let (code, message) = match data {
        Some(_) => (0, "success"),
        None => ErrorCode::NotFound.told(),
    };
    Rendered::json(&Wrapped { code, message, data })
}

/// The type of a config; SDKs fail on none.
fn kind(entry: &Entry) -> &str {
    if entry.details.content_type.is_empty() { "text" } else { &entry.details.content_type }
}

/// Wrapped, the content is a text in JSON, whatever its type.
fn content(version: &Version, wrapped: bool) -> Rendered {
    let entry = version.entry();
    let media = match kind(entry) {
        _ if wrapped => reply::JSON_UTF8,
        "json" => reply::JSON_UTF8,
        "xml" => "application/xml;charset=UTF-8",
        "html" => "text/html;charset=UTF-8",
        _ => reply::TEXT,
    };
    let body = if wrapped {
        reply::to_json(&entry.content)
    } else {
        entry.content.as_bytes().to_vec().into()
    };
    let mut response = reply::http(StatusCode::OK, Some(media), body);
    reply::add(&mut response, "config-type", kind(entry));
    reply::add(&mut response, "content-md5", &entry.md5);
    reply::add(&mut response, "last-modified", &dates::http(entry.modified_ms));
    reply::add(&mut response, "encrypted-data-key", &entry.details.encrypted_data_key);
    version.mark(&mut response);
    reply::add(&mut response, "cache-control", "no-cache,no-store");
    // Whoever may publish must not be able to run scripts in the browser of whoever may read.
    reply::add(&mut response, "x-content-type-options", "nosniff");
    reply::add(&mut response, "content-security-policy", "sandbox");
    Rendered::Http(response)
}

/// Null when there is none.
fn catalog(entry: Option<&Entry>) -> Rendered {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Catalog<'a> {
        create_time: u64,
        modify_time: u64,
        create_user: &'a str,
        create_ip: &'a str,
        desc: &'a str,
        r#use: &'a str,
        effect: &'a str,
        r#type: &'a str,
        schema: &'a str,
        config_tags: &'a str,
    }
    let shown = entry.map(|entry| Catalog {
        create_time: entry.created_ms,
        modify_time: entry.modified_ms,
        create_user: &entry.author.user,
        create_ip: &entry.author.address,
        desc: &entry.details.description,
        r#use: &entry.details.usage,
        effect: &entry.details.effect,
        r#type: kind(entry),
        schema: &entry.details.schema,
        config_tags: &entry.details.tags,
    });
    version::told(None, shown)
}

fn details(entry: &Entry, tenant: &str) -> Rendered {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Details<'a> {
        id: String,
        data_id: &'a str,
        group: &'a str,
        content: &'a str,
        md5: &'a str,
        encrypted_data_key: &'a str,
        tenant: &'a str,
        app_name: &'a str,
        r#type: &'a str,
        create_time: u64,
        modify_time: u64,
        create_user: &'a str,
        create_ip: &'a str,
        desc: &'a str,
        r#use: &'a str,
        effect: &'a str,
        schema: &'a str,
        config_tags: &'a str,
    }
    let Entry { key, content, md5, details, created, created_ms, modified_ms, author, .. } = entry;
    let body = reply::to_json(&Details {
        id: created.0.to_string(),
        data_id: &key.data_id,
        group: &key.group,
        content,
        md5,
        encrypted_data_key: &details.encrypted_data_key,
        tenant,
        app_name: &details.app_name,
        r#type: kind(entry),
        create_time: *created_ms,
        modify_time: *modified_ms,
        create_user: &author.user,
        create_ip: &author.address,
        desc: &details.description,
        r#use: &details.usage,
        effect: &details.effect,
        schema: &details.schema,
        config_tags: &details.tags,
    });
    Rendered::Http(reply::http(StatusCode::OK, Some(reply::JSON_UTF8), body))
}

/// Stamped like any other read: "not there" is worth no more than the view it was read from.
fn not_found() -> Rendered {
    let json = Some(reply::JSON_UTF8);
    Rendered::Http(reply::http(StatusCode::NOT_FOUND, json, fields::NOT_FOUND))
}
