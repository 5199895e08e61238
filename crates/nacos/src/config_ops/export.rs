//! Configs as an archive: `GET /v1/cs/configs?exportV2=true`, and `export=true` in the older form.

use super::{
    fields::{resource, tenant_of_form},
    metadata,
};
use crate::{
    Answer, Ask,
    archive::ARCHIVE_FILES_MAX,
    dates,
    fault::{Fault, Shape},
    filter::Filter,
    form::{self, Form},
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::{self, Rendered},
};
use access::{Action, Resource};
use base::Consistency;
use config::Entry;
use http::StatusCode;
use std::{collections::BTreeSet, sync::Arc};

/// Contents of one archive, in bytes. More are refused: an archive with gaps would be taken for complete.
pub(crate) const EXPORT_BYTES_MAX: usize = 64 << 20;

#[derive(Debug)]
pub(crate) struct ExportConfigs {
    namespace: Arc<str>,
    group: Filter,
    data_id: Filter,
    app_name: Filter,
    /// These alone, wherever they are; all that the filters take when there are none.
    ids: BTreeSet<u64>,
    scope: Resource,
    old_form: bool,
    unix_ms: u64,
}

impl ExportConfigs {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let ids = form.some("ids").unwrap_or_default().split(',').map(str::trim);
        let ids: Result<BTreeSet<u64>, _> =
            ids.filter(|id| !id.is_empty()).map(str::parse).collect();
        let ids = ids.map_err(|_| Fault::caused("invalid ids : numbers are taken"))?;
        let (group, data_id) = (form.some("group"), form.some("dataId"));
        let or_all = |name: Option<&str>| name.unwrap_or("*").into();
        let namespace = form::canonical(tenant_of_form(form));
        Ok(Self {
            scope: Resource::Config {
                namespace: namespace.clone(),
                group: or_all(group),
                data_id: or_all(data_id),
            },
            namespace,
            group: Filter::accurate(group.unwrap_or_default()),
            data_id: Filter::accurate(data_id.unwrap_or_default()),
            app_name: Filter::accurate(form.some("appName").unwrap_or_default()),
            ids,
            old_form: !form.flag("exportV2", false),
            unix_ms: 0,
        }
        .into())
    }

    fn wants(&self, entry: &Entry) -> bool {
        if !self.ids.is_empty() {
            return self.ids.contains(&entry.created.0);
        }
        self.group.takes(&entry.key.group)
            && self.data_id.takes(&entry.key.data_id)
            && self.app_name.takes(&entry.details.app_name)
    }
}

fn refused(text: String) -> Next {
    Next::Fault(Fault::new(Shape::Caused, StatusCode::BAD_REQUEST, 400, text))
}

impl Operate for ExportConfigs {
    /// Ids name configs anywhere: what may be done with each is decided in `run`.
    fn need(&self) -> Need {
        let resources = if self.ids.is_empty() { vec![self.scope.clone()] } else { Vec::new() };
        let consistency = Consistency::Linearizable;
        Need::Right { action: Action::Read, resources, consistency }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        self.unix_ms = context.now.unix_ms;
        let namespace = self.ids.is_empty().then_some(&*self.namespace);
        let wanted = |entry: &Entry| self.wants(entry);
        // One file is what is said of all others.
        let found = context.views.configs(namespace, &wanted, 0, ARCHIVE_FILES_MAX - 1);
        let bytes: usize = found.items.iter().map(|entry| entry.content.len()).sum();
        if found.count > found.items.len() || bytes > EXPORT_BYTES_MAX {
            return refused(format!(
                "{} configs are more than one archive takes ({ARCHIVE_FILES_MAX} files, {EXPORT_BYTES_MAX} bytes): export them by group or by ids",
                found.count
            ));
        }
        let (access, principal) = (context.views.access(), context.principal);
        let denied = |entry: &Arc<Entry>| {
            access.allows(principal, Action::Read, &resource(&entry.key)).is_err()
        };
        if !self.ids.is_empty() && found.items.iter().any(denied) {
            return Next::Fault(Fault::forbidden("authorization failed!"));
        }
        let mut names = BTreeSet::new();
        let mut files: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(found.items.len() + 1);
        for entry in &found.items {
            let (group, data_id) = (&entry.key.group, &entry.key.data_id);
            let leads_out = [group, data_id].iter().any(|part| [".", ".."].contains(&&***part));
            let name: Arc<str> = format!("{group}/{data_id}").into();
            if leads_out || !names.insert(name.clone()) {
                let why = "its name leads out of an archive, or two namespaces have it";
                return refused(format!("{} cannot be exported with the others: {why}", entry.key));
            }
            files.push((name, entry.content.clone()));
        }
        let (name, said) = if self.old_form {
            (metadata::OLD_METADATA, metadata::write_old(&found.items))
        } else {
            (metadata::METADATA, metadata::write(&found.items))
        };
        if !said.is_empty() {
            files.push((name.into(), said.into()));
        }
        Next::Ask(Ask::Pack(files))
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Packed(archive)) => {
                let kind = Some("application/octet-stream");
                let mut response = reply::http(StatusCode::OK, kind, archive);
                let time = dates::digits(self.unix_ms);
                let name = format!("attachment;filename=nacos_config_export_{time}.zip");
                reply::add(&mut response, "content-disposition", &name);
                reply::add(&mut response, "cache-control", "no-store");
                Next::Reply(Rendered::Http(response))
            }
            event => failed(event),
        }
    }
}
