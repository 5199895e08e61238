//! Configs from an archive: `POST /v1/cs/configs?import=true` with a form that has the archive as `file`.
//!
//! Nothing of it is written anywhere but as configs, and nothing is published before all of it was inspected, on a worker
//! thread (`Archive`). What the archive says of its configs is read by `metadata`.

use super::{
    fields::{author, resource},
    metadata::{self, Described},
    transfer::{Content, Failure, Item, Policy, Transfer, Unrecognized},
};
use crate::{
    Answer, Archive, Ask, check,
    fault::Fault,
    form::{self, Form},
    multipart,
    operation::{Context, Event, Need, Next, Operate, Operation},
};
use access::{Action, PUBLIC_NAMESPACE};
use base::Consistency;
use bytes::Bytes;
use config::{ConfigKey, Details};
use http::header::CONTENT_TYPE;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Nacos's word for "imported".
const DONE: &str = "导入成功";

#[derive(Debug)]
pub(crate) struct ImportConfigs {
    /// The form, until it is read.
    content_type: String,
    body: Bytes,
    namespace: Option<String>,
    policy: Option<String>,
    source_user: String,
    /// Once it was inspected.
    archive: Option<Archive>,
    transfer: Option<Transfer>,
}

/// What an archive holds: configs, and files that are none.
type Read = (Vec<Item>, Vec<Unrecognized>);

impl ImportConfigs {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let kind = form.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let owned = |name| form.some(name).map(str::to_owned);
        Ok(Self {
            content_type: kind.unwrap_or_default().to_owned(),
            body: form.body.clone(),
            namespace: owned("namespace"),
            policy: owned("policy"),
            source_user: owned("src_user").unwrap_or_default(),
            archive: None,
            transfer: None,
        }
        .into())
    }

    /// Reads the form, which may name the namespace and the policy as well.
    fn file(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.body.is_empty() {
            return Ok(None);
        }
        let mut file = None;
        for part in multipart::read(&self.content_type, &std::mem::take(&mut self.body))? {
            let text = || String::from_utf8_lossy(&part.content).trim().to_owned();
            match &*part.name {
                "file" => file = Some(part.content.clone()),
                "namespace" => self.namespace = Some(text()),
                "policy" => self.policy = Some(text()),
                _ => {}
            }
        }
        Ok(file.filter(|file| !file.is_empty()))
    }

    fn plan(&mut self, context: &Context<'_>, archive: Archive) -> Result<Transfer, Box<Next>> {
        let namespace = form::canonical(self.namespace.as_deref());
        let (items, unrecognized) = read(&archive, &namespace)
            .map_err(|failure| Box::new(Next::Reply(failure.rendered(None))))?;
        if items.is_empty() {
            return Err(Box::new(Next::Reply(Failure::Empty.rendered(None))));
        }
        let access = context.views.access();
        let denied = |item: &Item| {
            access.allows(context.principal, Action::Write, &resource(&item.key)).is_err()
        };
        if items.iter().any(denied) {
            return Err(Box::new(Next::Fault(Fault::forbidden("authorization failed!"))));
        }
        let policy =
            Policy::read(self.policy.as_deref()).map_err(|fault| Box::new(Next::Fault(fault)))?;
        let author = author(context, &self.source_user);
        self.archive = Some(archive);
        Ok(Transfer::new(policy, author, items, DONE).with_unrecognized(unrecognized))
    }
}

impl Operate for ImportConfigs {
    /// Which configs these are is known only once the archive is read: who asks is proven here, and what may be done to
    /// each of them is decided then.
    fn need(&self) -> Need {
        Need::Right {
            action: Action::Write,
            resources: Vec::new(),
            consistency: Consistency::Linearizable,
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let file = match self.file() {
            Ok(Some(file)) => file,
            Ok(None) => return Next::Reply(Failure::Empty.rendered(None)),
            Err(fault) => return Next::Fault(fault),
        };
        if let Err(fault) = Policy::read(self.policy.as_deref()) {
            return Next::Fault(fault);
        }
        let namespace = form::canonical(self.namespace.as_deref());
        if let Err(fault) = check::namespace(&namespace) {
            return Next::Fault(fault);
        }
        if !is_there(context, &namespace) {
            return Next::Reply(Failure::NamespaceUnknown.rendered(None));
        }
        Next::Ask(Ask::Inspect(file))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Inspected(Ok(archive))) => {
                match self.plan(context, archive) {
                    Ok(transfer) => self.transfer = Some(transfer),
                    Err(next) => return *next,
                }
                self.go_on(None)
            }
            Event::Answer(Answer::Inspected(Err(error))) => {
                Next::Reply(Failure::Unreadable.rendered(Some(&error.to_string())))
            }
            event => self.go_on(Some(event)),
        }
    }
}

impl ImportConfigs {
    fn go_on(&mut self, event: Option<Event>) -> Next {
        let Self { archive, transfer, .. } = self;
        let content = |number| archive.as_ref().and_then(|archive| archive.content(number));
        match (transfer, event) {
            (Some(transfer), None) => transfer.next(content),
            (Some(transfer), Some(event)) => transfer.resume(event, content),
            (None, Some(event)) => crate::operation::failed(event),
            (None, None) => unreachable!("it was just planned"),
        }
    }
}

/// Whether a namespace exists.
pub(crate) fn is_there(context: &Context<'_>, namespace: &str) -> bool {
    namespace == PUBLIC_NAMESPACE || context.views.access().namespaces.contains_key(namespace)
}

fn read(archive: &Archive, namespace: &Arc<str>) -> Result<Read, Failure> {
    let number_of = |name: &str| archive.names().position(|known| **known == *name);
    let text_of = |number: usize| archive.content(number).ok_or(Failure::MetadataIllegal);
    if let Some(number) = number_of(metadata::METADATA) {
        let described = metadata::read(&text_of(number)?).ok_or(Failure::MetadataIllegal)?;
        return read_described(archive, namespace, &described);
    }
    let applications = match number_of(metadata::OLD_METADATA) {
        Some(number) => metadata::read_old(&text_of(number)?).ok_or(Failure::MetadataIllegal)?,
        None => BTreeMap::new(),
    };
    let (mut items, mut unrecognized) = (Vec::new(), Vec::new());
    for (number, name) in archive.names().enumerate() {
        if **name == *metadata::OLD_METADATA {
            continue;
        }
        let Some(key) = key(namespace, name) else {
            unrecognized.push(Unrecognized { item_name: name.to_string() });
            continue;
        };
        let application = applications.get(&metadata::old_name(&key.group, &key.data_id));
        let app_name = application.map_or("", String::as_str).into();
        let details = Details { app_name, ..Details::default() };
        items.push(Item { key, content: Content::File(number), details });
    }
    Ok((items, unrecognized))
}

/// What is described and there, in the order in which it is described; all else is not recognized.
fn read_described(
    archive: &Archive,
    namespace: &Arc<str>,
    described: &[Described],
) -> Result<Read, Failure> {
    let (mut items, mut unrecognized) = (Vec::new(), Vec::new());
    let mut files: BTreeMap<ConfigKey, usize> = BTreeMap::new();
    for (number, name) in archive.names().enumerate() {
        match key(namespace, name) {
            _ if **name == *metadata::METADATA => {}
            Some(key) => {
                files.insert(key, number);
            }
            None => unrecognized.push(Unrecognized { item_name: name.to_string() }),
        }
    }
    let mut seen = BTreeSet::new();
    for said in described {
        let text = |name: &str| said.get(name).map_or("", |text| text.trim());
        let (group, data_id) = (text("group"), text("dataId"));
        let name = format!("{group}/{data_id}");
        let blank = [group, data_id, text("type")].contains(&"");
        if blank || !seen.insert(name.clone()) {
            return Err(Failure::MetadataIllegal);
        }
        let found = key(namespace, &name).and_then(|key| Some((files.remove(&key)?, key)));
        let Some((number, key)) = found else {
            unrecognized.push(Unrecognized { item_name: format!("未在文件中找到: {name}") });
            continue;
        };
        let details = Details {
            content_type: text("type").into(),
            encrypted_data_key: text("encryptedDataKey").into(),
            app_name: text("appName").into(),
            description: text("desc").into(),
            tags: text("configTags").into(),
            ..Details::default()
        };
        items.push(Item { key, content: Content::File(number), details });
    }
    for key in files.into_keys() {
        let item_name = format!("未在元数据中找到: {}/{}", key.group, key.data_id);
        unrecognized.push(Unrecognized { item_name });
    }
    Ok((items, unrecognized))
}

/// The config that a file is, by the rules for names of groups and data ids.
fn key(namespace: &Arc<str>, name: &str) -> Option<ConfigKey> {
    let (group, data_id) = name.split_once('/')?;
    let legal = !group.is_empty()
        && !data_id.is_empty()
        && check::group(group).is_ok()
        && check::data_id(data_id).is_ok();
    legal.then(|| ConfigKey {
        namespace: namespace.clone(),
        group: group.into(),
        data_id: data_id.into(),
    })
}
