//! The history of a config: `GET /v1/cs/history` with `search=accurate`, with `nid=`, and `/v1/cs/history/previous`.
//!
//! Nacos's rows say what a change replaced: that of an update holds the content from before it, so that publishing what a
//! row shows undoes the change (that of an insert is undone by removing). Ours hold what a change made; the content from
//! before is the one in the row before it, of the same version.

use super::{
    fields::{key_of_form, resource, tenant_of_form},
    search::{Page, json},
};
use crate::{
    Answer, Ask, dates,
    fault::{Fault, Shape},
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Rendered,
};
use base::{Consistency, Revision};
use config::{ConfigKey, Details, GrayRule, HISTORY_ROWS_MAX, HistoryRow, Reply, Request};
use http::StatusCode;
use serde::Serialize;

/// Changes of one page when the client does not say.
const PAGE_SIZE_DEFAULT: usize = 100;
/// Rows that are read at once in search of the one before. Versions of the same config lie between.
const PIECE_ROWS: usize = 4;

/// A page of a config's changes.
#[derive(Debug)]
pub(crate) struct ListChanges {
    key: ConfigKey,
    /// As the client wrote it.
    tenant: String,
    /// From 1.
    page: usize,
    page_size: usize,
}

impl ListChanges {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let count = |name, default| form.some(name).map_or(Ok(default), |_| form.count(name));
        let (page, page_size) = (count("pageNo", 1)?, count("pageSize", PAGE_SIZE_DEFAULT)?);
        let tenant = tenant_of_form(form).unwrap_or_default().to_owned();
        let page_size = page_size.min(HISTORY_ROWS_MAX);
        Ok(Self { key: key_of_form(form)?, tenant, page, page_size }.into())
    }
}

impl Operate for ListChanges {
    fn need(&self) -> Need {
        Need::read(resource(&self.key), Consistency::Linearizable)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        let (key, limit) = (self.key.clone(), self.page_size);
        let offset = (self.page - 1).saturating_mul(limit);
        Next::Ask(Ask::Config(Request::HistoryPage { key, offset, limit }))
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Config(Reply::HistoryPage { count, rows })) => {
                Next::Reply(json(&Page {
                    total_count: count,
                    page_number: self.page,
                    pages_available: count.div_ceil(self.page_size),
                    page_items: rows.iter().map(|row| shown(row, &self.tenant, None)).collect(),
                }))
            }
            event => failed(event),
        }
    }
}

/// One change, with the content that it replaced.
#[derive(Debug)]
pub(crate) struct ShowChange {
    key: ConfigKey,
    tenant: String,
    wanted: Wanted,
    /// Shown with the contents of both sides.
    both_sides: bool,
    /// The change, once it is read.
    row: Option<HistoryRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// The change of this number.
    Change(Revision),
    /// The newest change of the config of this number.
    NewestOf(Revision),
}

impl ShowChange {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        if form.some("search").is_some() {
            return ListChanges::from_http(form);
        }
        Self::from_http_v2(form)
    }

    pub(crate) fn from_http_v2(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, "nid", Wanted::Change)
    }

    pub(crate) fn previous(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, "id", Wanted::NewestOf)
    }

    /// A change with the contents before and after it.
    pub(crate) fn detail(form: &Form) -> Result<Operation, Fault> {
        Ok(Self { both_sides: true, ..Self::read_form(form, "nid", Wanted::Change)? }.into())
    }

    fn of(form: &Form, name: &str, wanted: fn(Revision) -> Wanted) -> Result<Operation, Fault> {
        Ok(Self::read_form(form, name, wanted)?.into())
    }

    fn read_form(form: &Form, name: &str, wanted: fn(Revision) -> Wanted) -> Result<Self, Fault> {
        let key = key_of_form(form)?;
        let text = form.some(name).ok_or_else(|| Fault::missing_of(name, "Long"))?;
        let number = text.parse().map_err(|_| {
            Fault::caused(format!("invalid {name} : {text}: a number that a list shows is taken"))
        })?;
        let tenant = tenant_of_form(form).unwrap_or_default().to_owned();
        let wanted = wanted(Revision(number));
        Ok(Self { key, tenant, wanted, both_sides: false, row: None })
    }

    fn read(&self, before: Option<Revision>) -> Next {
        let (key, limit) = (self.key.clone(), PIECE_ROWS);
        Next::Ask(Ask::Config(Request::History { key, before, limit }))
    }

    fn missing(&self) -> Next {
        let text = match self.wanted {
            Wanted::Change(nid) => {
                format!("certain config history for nid = {} not exist", nid.0)
            }
            Wanted::NewestOf(id) => {
                format!("previous config history for id = {} not exist", id.0)
            }
        };
        Next::Fault(Fault::new(Shape::Plain, StatusCode::NOT_FOUND, 404, text))
    }

    /// `before` is the row that has the content from before; of one that replaced nothing, itself.
    fn rendered(&self, row: &HistoryRow, before: &HistoryRow) -> Rendered {
        if self.both_sides {
            json(&both_sides(row, before, &self.tenant))
        } else {
            json(&shown(row, &self.tenant, Some(before)))
        }
    }

    fn is_wanted(&self, row: &HistoryRow) -> bool {
        match self.wanted {
            Wanted::Change(revision) => row.revision == revision,
            Wanted::NewestOf(created) => row.entry.created == created,
        }
    }

    /// Looks through a piece of the history, newest first.
    fn search(&mut self, rows: &[HistoryRow]) -> Next {
        let Some(last) = rows.last() else { return self.missing() };
        for row in rows {
            match &self.row {
                None if self.is_wanted(row) => {
                    if row.operation != config::Operation::Update {
                        return Next::Reply(self.rendered(row, row));
                    }
                    self.row = Some(row.clone());
                }
                None => {
                    if matches!(self.wanted, Wanted::Change(_)) {
                        return self.missing();
                    }
                }
                Some(found) if name(found) == name(row) => {
                    return Next::Reply(self.rendered(found, row));
                }
                Some(_) => {}
            }
        }
        self.read(Some(last.revision))
    }
}

impl Operate for ShowChange {
    fn need(&self) -> Need {
        Need::read(resource(&self.key), Consistency::Linearizable)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        match self.wanted {
            Wanted::Change(revision) => self.read(Some(Revision(revision.0.saturating_add(1)))),
            Wanted::NewestOf(_) => self.read(None),
        }
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Config(Reply::History(rows))) => self.search(&rows),
            event => failed(event),
        }
    }
}

fn name(row: &HistoryRow) -> String {
    row.gray.as_ref().map_or(String::new(), |rule| rule.name().to_string())
}

/// A row as Nacos shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: String,
    last_id: i64,
    data_id: &'a str,
    group: &'a str,
    tenant: &'a str,
    app_name: &'a str,
    md5: Option<&'a str>,
    content: Option<&'a str>,
    src_ip: &'a str,
    src_user: Option<&'a str>,
    /// Filled up to ten characters.
    op_type: &'static str,
    publish_type: &'static str,
    gray_name: String,
    ext_info: String,
    created_time: String,
    last_modified_time: String,
    encrypted_data_key: Option<&'a str>,
}

/// `content` is the row that has the content to show, if any is to be shown.
fn shown<'a>(row: &'a HistoryRow, tenant: &'a str, content: Option<&'a HistoryRow>) -> Shown<'a> {
    let entry = &row.entry;
    let content = content.map(|row| &row.entry);
    Shown {
        id: row.revision.0.to_string(),
        last_id: -1,
        data_id: &entry.key.data_id,
        group: &entry.key.group,
        tenant,
        app_name: &entry.details.app_name,
        md5: content.map(|entry| &*entry.md5),
        content: content.map(|entry| &*entry.content),
        src_ip: &entry.author.address,
        src_user: Some(&*entry.author.user).filter(|user| !user.is_empty()),
        op_type: match row.operation {
            config::Operation::Insert => "I         ",
            config::Operation::Update => "U         ",
            config::Operation::Delete => "D         ",
        },
        publish_type: if row.gray.is_some() { "gray" } else { "formal" },
        gray_name: name(row),
        ext_info: ext_info(row.gray.as_ref(), &content.unwrap_or(entry).details),
        created_time: dates::iso(entry.created_ms),
        last_modified_time: dates::iso(entry.modified_ms),
        encrypted_data_key: content.map(|entry| &*entry.details.encrypted_data_key),
    }
}

/// A row with the contents of both sides, as Nacos shows it: none on the side where there was nothing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BothSides<'a> {
    id: String,
    last_id: i64,
    data_id: &'a str,
    group: &'a str,
    tenant: &'a str,
    op_type: &'static str,
    publish_type: &'static str,
    gray_name: String,
    app_name: &'a str,
    src_ip: &'a str,
    src_user: Option<&'a str>,
    original_md5: Option<&'a str>,
    original_content: Option<&'a str>,
    original_encrypted_data_key: Option<&'a str>,
    original_ext_info: Option<String>,
    updated_md5: Option<&'a str>,
    updated_content: Option<&'a str>,
    updated_encrypted_data_key: Option<&'a str>,
    update_ext_info: Option<String>,
    created_time: String,
    last_modified_time: String,
}

fn both_sides<'a>(row: &'a HistoryRow, before: &'a HistoryRow, tenant: &'a str) -> BothSides<'a> {
    let (original, updated) = match row.operation {
        config::Operation::Insert => (None, Some(row)),
        config::Operation::Update => (Some(before), Some(row)),
        config::Operation::Delete => (Some(row), None),
    };
    let info = |row: &HistoryRow| ext_info(row.gray.as_ref(), &row.entry.details);
    let key = |row: &'a HistoryRow| &*row.entry.details.encrypted_data_key;
    let Shown { id, last_id, data_id, group, app_name, src_ip, src_user, op_type, .. } =
        shown(row, tenant, None);
    let Shown { publish_type, gray_name, created_time, last_modified_time, .. } =
        shown(row, tenant, None);
    BothSides {
        id,
        last_id,
        data_id,
        group,
        tenant,
        op_type,
        publish_type,
        gray_name,
        app_name,
        src_ip,
        src_user,
        original_md5: original.map(|row| &*row.entry.md5),
        original_content: original.map(|row| &*row.entry.content),
        original_encrypted_data_key: original.map(key),
        original_ext_info: original.map(info),
        updated_md5: updated.map(|row| &*row.entry.md5),
        updated_content: updated.map(|row| &*row.entry.content),
        updated_encrypted_data_key: updated.map(key),
        update_ext_info: updated.map(info),
        created_time,
        last_modified_time,
    }
}

/// What Nacos tells of a change in a text of JSON in its JSON.
fn ext_info(gray: Option<&GrayRule>, details: &Details) -> String {
    #[derive(Serialize)]
    struct Formal<'a> {
        r#type: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        config_tags: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        desc: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        r#use: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        effect: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        schema: &'a str,
    }
    #[derive(Serialize)]
    struct Gray {
        gray_name: String,
        gray_rule: String,
    }
    #[derive(Serialize)]
    struct Rule<'a> {
        r#type: &'static str,
        expr: &'a str,
        version: &'static str,
        priority: &'static str,
    }
    let text = |json: bytes::Bytes| String::from_utf8_lossy(&json).into_owned();
    let Some(rule) = gray else {
        return text(crate::reply::to_json(&Formal {
            r#type: &details.content_type,
            config_tags: &details.tags,
            desc: &details.description,
            r#use: &details.usage,
            effect: &details.effect,
            schema: &details.schema,
        }));
    };
    let (kind, priority) = match rule {
        GrayRule::Beta(_) => ("beta", "2147483647"),
        GrayRule::Tag(_) => ("tag", "2147483646"),
    };
    let rule_text = Rule { r#type: kind, expr: rule.text(), version: "1.0.0", priority };
    text(crate::reply::to_json(&Gray {
        gray_name: rule.name().to_string(),
        gray_rule: text(crate::reply::to_json(&rule_text)),
    }))
}
