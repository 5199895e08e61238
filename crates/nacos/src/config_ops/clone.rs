//! Configs of one namespace copied to another: `POST /v1/cs/configs?clone=true` with a JSON list of what is chosen.

use super::{
    fields::{author, resource, tenant_of_form},
    import::is_there,
    transfer::{Content, Failure, Item, Policy, Transfer},
};
use crate::{
    check,
    fault::Fault,
    form::{self, Form},
    json,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
};
use access::Action;
use base::Consistency;
use config::{ConfigKey, Entry};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

/// Configs of one request; more are refused.
pub(crate) const CLONED_MAX: usize = 10_000;
/// Nacos's words for "cloned".
const DONE: &str = "Clone Completed Successfully";

#[derive(Debug)]
pub(crate) struct CloneConfigs {
    namespace: Arc<str>,
    policy: Policy,
    source_user: String,
    /// By the ids that lists show.
    chosen: BTreeMap<u64, Names>,
    transfer: Option<Transfer>,
}

/// The copy's names, where they are others.
#[derive(Debug)]
struct Names {
    group: Option<Arc<str>>,
    data_id: Option<Arc<str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Chosen {
    #[serde(deserialize_with = "json::text")]
    cfg_id: Option<String>,
    #[serde(deserialize_with = "json::text")]
    group: Option<String>,
    #[serde(deserialize_with = "json::text")]
    data_id: Option<String>,
}

impl CloneConfigs {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let tenant = tenant_of_form(form).ok_or_else(|| Fault::missing("tenant"))?;
        let list: Vec<Option<Chosen>> = json::read(&form.body)
            .map_err(|error| Fault::caused(format!("the list cannot be read: {error}")))?;
        if list.len() > CLONED_MAX {
            return Err(Fault::caused(format!("more than {CLONED_MAX} configs in one request")));
        }
        let mut chosen = BTreeMap::new();
        for Chosen { cfg_id, group, data_id } in list.into_iter().flatten() {
            let id = cfg_id.as_deref().and_then(|id| id.trim().parse().ok());
            let id: u64 = id.ok_or_else(|| Fault::caused("invalid cfgId : numbers are taken"))?;
            let name = |text: Option<String>| {
                text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
            };
            let (group, data_id) = (name(group), name(data_id));
            check::group(group.as_deref().unwrap_or_default())?;
            check::data_id(data_id.as_deref().unwrap_or_default())?;
            let names = Names { group: group.map(Arc::from), data_id: data_id.map(Arc::from) };
            chosen.entry(id).or_insert(names);
        }
        Ok(Self {
            namespace: form::canonical(Some(tenant)),
            policy: Policy::read(form.some("policy"))?,
            source_user: form.some("src_user").unwrap_or_default().to_owned(),
            chosen,
            transfer: None,
        }
        .into())
    }

    fn item(&self, entry: &Entry) -> Item {
        let names = self.chosen.get(&entry.created.0);
        let group = names.and_then(|names| names.group.clone());
        let data_id = names.and_then(|names| names.data_id.clone());
        let key = ConfigKey {
            namespace: self.namespace.clone(),
            group: group.unwrap_or_else(|| entry.key.group.clone()),
            data_id: data_id.unwrap_or_else(|| entry.key.data_id.clone()),
        };
        let content = Content::Text(entry.content.clone());
        Item { key, content, details: entry.details.clone() }
    }
}

impl Operate for CloneConfigs {
    /// Which configs these are is known only once the views are looked at: see `run`.
    fn need(&self) -> Need {
        Need::Right {
            action: Action::Write,
            resources: Vec::new(),
            consistency: Consistency::Linearizable,
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        if self.chosen.is_empty() {
            return Next::Reply(Failure::NothingChosen.rendered(None));
        }
        if !is_there(context, &self.namespace) {
            return Next::Reply(Failure::NamespaceUnknown.rendered(None));
        }
        let wanted = |entry: &Entry| self.chosen.contains_key(&entry.created.0);
        let found = context.views.configs(None, &wanted, 0, CLONED_MAX);
        if found.items.is_empty() {
            return Next::Reply(Failure::Empty.rendered(None));
        }
        let items: Vec<Item> = found.items.iter().map(|entry| self.item(entry)).collect();
        let access = context.views.access();
        let may = |action, key: &ConfigKey| {
            access.allows(context.principal, action, &resource(key)).is_ok()
        };
        let read = found.items.iter().all(|entry| may(Action::Read, &entry.key));
        if !read || !items.iter().all(|item| may(Action::Write, &item.key)) {
            return Next::Fault(Fault::forbidden("authorization failed!"));
        }
        let author = author(context, &self.source_user);
        let transfer = self.transfer.insert(Transfer::new(self.policy, author, items, DONE));
        transfer.next(|_| None)
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        match &mut self.transfer {
            Some(transfer) => transfer.resume(event, |_| None),
            None => failed(event),
        }
    }
}
