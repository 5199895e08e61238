//! The state of the plane and its three verbs.

use crate::{
    Audience, Command, ConfigKey, Entry, Grays, HistoryRow, Input, LoadedRows, Output, Refusal,
    Reply, Request,
    check::{self, CONTENT_BYTES_MAX},
    history::{HISTORY_REPLY_BYTES_MAX, HISTORY_ROWS_MAX, History, Retention},
    listeners::{LISTENERS_MAX, Listeners},
    many,
    model::Pattern,
    rows,
};
use base::{ConnectionId, Instant, Now, RequestId, Revision, Row, Watchers};
use md5::{Digest, Md5};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// All current entries together (1 GiB): they are held in memory. Decided in `apply`, so it is no setting.
pub const CONTENTS_BYTES_MAX: u64 = 1 << 30;
/// Reads of history that wait for the disk; more are refused.
pub const LOADS_MAX: usize = 1024;

/// What may differ between nodes: nothing that `apply` decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// See [`LISTENERS_MAX`], its default.
    pub listeners_max: usize,
    /// See [`CONTENT_BYTES_MAX`], its default.
    pub content_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { listeners_max: LISTENERS_MAX, content_bytes_max: CONTENT_BYTES_MAX }
    }
}

/// The config center of one node.
#[derive(Debug)]
pub struct Config {
    settings: Settings,
    pub(crate) retention: Retention,
    pub(crate) contents_bytes_max: u64,
    pub(crate) entries: BTreeMap<ConfigKey, Arc<Entry>>,
    /// Never an empty set.
    pub(crate) grays: BTreeMap<ConfigKey, Arc<Grays>>,
    /// Of entries and gray versions together.
    pub(crate) contents_bytes: u64,
    pub(crate) history: History,
    /// Published before the last `Reset` and not restored since.
    pub(crate) before_reset: BTreeMap<ConfigKey, Arc<Entry>>,
    /// What readers see of `grays`: the same outside a restore. A client whose gray version is not read yet must not be
    /// given the formal one meanwhile.
    pub(crate) grays_shown: BTreeMap<ConfigKey, Arc<Grays>>,
    /// Rows come in.
    pub(crate) restoring: bool,
    pub(crate) listeners: Listeners,
    watchers: Watchers<Pattern>,
    loads: BTreeMap<u64, Reader>,
    load_last: u64,
    pub(crate) outputs: VecDeque<Output>,
}

/// Who waits for rows of the history.
#[derive(Clone, Copy, Debug)]
struct Reader {
    to: ConnectionId,
    id: RequestId,
    /// How many changes there are, if a page was asked for.
    count: Option<usize>,
}

impl Reader {
    fn reply(self, rows: Result<Vec<HistoryRow>, String>) -> Output {
        let reply = match (rows, self.count) {
            (Ok(rows), None) => Reply::History(rows),
            (Ok(rows), Some(count)) => Reply::HistoryPage { count, rows },
            (Err(why), _) => Reply::Refused(Refusal::Unreadable(why)),
        };
        Output::Reply { to: self.to, id: self.id, reply }
    }
}

impl Config {
    /// An empty config center.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            retention: Retention::AGREED,
            contents_bytes_max: CONTENTS_BYTES_MAX,
            entries: BTreeMap::new(),
            grays: BTreeMap::new(),
            contents_bytes: 0,
            history: History::default(),
            before_reset: BTreeMap::new(),
            grays_shown: BTreeMap::new(),
            restoring: false,
            listeners: Listeners::default(),
            watchers: Watchers::default(),
            loads: BTreeMap::new(),
            load_last: 0,
            outputs: VecDeque::new(),
        }
    }

    /// How many keys are listened to, each counted once per listener.
    #[must_use]
    pub fn listeners_len(&self) -> usize {
        self.listeners.len()
    }

    /// Takes an input.
    pub fn step(&mut self, now: Now, input: Input) {
        match input {
            Input::Closed(connection) => {
                self.listeners.close(connection);
                self.watchers.close(connection);
            }
            Input::Request { from, id, request } => self.request(now, from, id, request),
            Input::Restore(piece) => self.restore(piece),
            Input::Reset => self.reset(),
            Input::Restored => self.settle(),
            Input::Loaded { id, rows } => self.loaded(id, rows),
            Input::Wake => {} // nothing here waits for a time
        }
    }

    /// The next output, if there is one.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Nothing here waits for a time.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The current entry of a key.
    #[must_use]
    pub fn entry(&self, key: &ConfigKey) -> Option<&Arc<Entry>> {
        self.entries.get(key)
    }

    /// How many keys there are.
    #[must_use]
    pub fn entries_count(&self) -> usize {
        self.entries.len()
    }

    /// What all current entries weigh, in bytes; see [`CONTENTS_BYTES_MAX`].
    #[must_use]
    pub fn contents_bytes(&self) -> u64 {
        self.contents_bytes
    }

    fn request(&mut self, now: Now, to: ConnectionId, id: RequestId, request: Request) {
        let propose = |command| Output::Propose { to, id, command };
        let answer = match request {
            Request::Publish { key, content, cas_md5, details, author } => self
                .check(&key, &content)
                .and_then(|()| Self::publish(now, key, content, cas_md5, details, author))
                .map(propose),
            Request::Remove { key, author } => Self::remove(now, key, author).map(propose),
            Request::PublishGray { key, rule, content, cas_md5, details, author } => {
                let now_ms = now.unix_ms;
                let command = self.check(&key, &content).and_then(|()| {
                    Self::publish_gray(now_ms, key, rule, content, cas_md5, *details, author)
                });
                command.map(propose)
            }
            Request::RemoveGray { key, name, author } => {
                Self::remove_gray(now, key, name, author).map(propose)
            }
            Request::PublishMany { changes, author } => {
                self.publish_many(now, changes, author).map(propose)
            }
            Request::Listen { listener, items, audience } => {
                let reply = self.listen((to, listener), items, audience);
                reply.map(|reply| Output::Reply { to, id, reply })
            }
            Request::Unlisten { listener, keys } => {
                self.listeners.unlisten((to, listener), &keys);
                Ok(Output::Reply { to, id, reply: Reply::Listening(Vec::new()) })
            }
            Request::History { key, before, limit } => {
                self.load(Reader { to, id, count: None }, &key, before, 0, limit)
            }
            Request::HistoryPage { key, offset, limit } => {
                let count = Some(self.history.count(&key));
                self.load(Reader { to, id, count }, &key, None, offset, limit)
            }
            Request::Watch { pattern } => {
                let watching = self.watchers.watch(to, pattern);
                let reply = Reply::Watching;
                let answer = watching.map(|()| Output::Reply { to, id, reply });
                answer.map_err(|limit| Refusal::TooManyPatterns { limit })
            }
            Request::Unwatch { pattern } => {
                self.watchers.unwatch(to, &pattern);
                Ok(Output::Reply { to, id, reply: Reply::Watching })
            }
            Request::ListenersAt { address } => {
                let reply = Reply::ListenersAt(self.listeners.at(&address));
                Ok(Output::Reply { to, id, reply })
            }
            Request::Listeners { key } => {
                let reply = Reply::Listeners(self.listeners.to(&key));
                Ok(Output::Reply { to, id, reply })
            }
        };
        self.outputs.push_back(answer.unwrap_or_else(|refusal| Output::Reply {
            to,
            id,
            reply: Reply::Refused(refusal),
        }));
    }

    /// What is looked at first in whatever sets a content.
    fn check(&self, key: &ConfigKey, content: &str) -> Result<(), Refusal> {
        check::key(key)?;
        check::content(content, self.settings.content_bytes_max)
    }

    fn publish(
        now: Now,
        key: ConfigKey,
        content: Arc<str>,
        cas_md5: Option<Arc<str>>,
        details: crate::Details,
        author: crate::Author,
    ) -> Result<Command, Refusal> {
        check::author(&author)?;
        let details = Box::new(check::details(details)?);
        let md5 = md5_hex(&content).into();
        Ok(Command::Publish { key, content, md5, cas_md5, details, author, at_ms: now.unix_ms })
    }

    fn remove(now: Now, key: ConfigKey, author: crate::Author) -> Result<Command, Refusal> {
        check::key(&key)?;
        check::author(&author)?;
        Ok(Command::Remove { key, author, at_ms: now.unix_ms })
    }

    fn remove_gray(
        now: Now,
        key: ConfigKey,
        name: crate::GrayName,
        author: crate::Author,
    ) -> Result<Command, Refusal> {
        check::key(&key)?;
        check::author(&author)?;
        check::gray_name(&name)?;
        Ok(Command::RemoveGray { key, name, author, at_ms: now.unix_ms })
    }

    fn publish_many(
        &self,
        now: Now,
        changes: Vec<crate::Change>,
        author: crate::Author,
    ) -> Result<Command, Refusal> {
        check::author(&author)?;
        let changes = many::stamp(changes, self.settings.content_bytes_max)?;
        Ok(Command::PublishMany { changes, author, at_ms: now.unix_ms })
    }

    /// A key that differs counts as told, so every listener starts out holding the current md5.
    fn listen(
        &mut self,
        listener: (ConnectionId, u64),
        items: Vec<(ConfigKey, Arc<str>)>,
        audience: Audience,
    ) -> Result<Reply, Refusal> {
        let mut current = BTreeMap::new();
        let mut differing = Vec::new();
        for (key, held) in items {
            check::key(&key)?;
            let md5 = self.md5_seen(&key, &audience);
            let differs = md5 != held;
            if current.insert(key.clone(), md5).is_none() && differs {
                differing.push(key);
            }
        }
        self.listeners.listen(listener, current, audience, self.settings.listeners_max)?;
        Ok(Reply::Listening(differing))
    }

    fn load(
        &mut self,
        reader: Reader,
        key: &ConfigKey,
        before: Option<Revision>,
        offset: usize,
        limit: usize,
    ) -> Result<Output, Refusal> {
        let limit = limit.min(HISTORY_ROWS_MAX);
        let wanted = self.history.newest(key, before, offset, limit, HISTORY_REPLY_BYTES_MAX);
        let (Some(&newest), Some(&oldest)) = (wanted.first(), wanted.last()) else {
            return Ok(reader.reply(Ok(Vec::new())));
        };
        if self.loads.len() >= LOADS_MAX {
            return Err(Refusal::Unreadable(format!(
                "{LOADS_MAX} reads of history wait for the disk already; try again"
            )));
        }
        self.load_last += 1;
        self.loads.insert(self.load_last, reader);
        Ok(Output::Load {
            id: self.load_last,
            table: rows::HISTORY,
            from: rows::history_key(key, newest),
            until: rows::history_key(key, oldest),
            limit: wanted.len(),
        })
    }

    fn loaded(&mut self, load: u64, rows: LoadedRows) {
        let reader = self.loads.remove(&load).expect("each Load is answered once");
        let rows = rows.and_then(|rows| {
            rows.iter().map(|(key, value)| rows::read_history(key, value)).collect()
        });
        self.outputs.push_back(reader.reply(rows));
    }

    fn reset(&mut self) {
        self.restoring = true;
        self.before_reset.append(&mut self.entries);
        self.grays.clear();
        self.contents_bytes = 0;
        self.history = History::default();
    }

    fn restore(&mut self, piece: Vec<Row>) {
        self.restoring = true;
        for row in piece {
            if let Err(why) = self.restore_row(&row) {
                self.outputs.push_back(Output::Halt(why));
                return;
            }
        }
    }

    fn restore_row(&mut self, row: &Row) -> Result<(), String> {
        let Some(value) = &row.value else {
            return Err(format!("config table {}: a deleted row in a snapshot", row.table));
        };
        match row.table {
            rows::ENTRIES => {
                let entry = Arc::new(rows::read_entry(&row.key, value)?);
                let known = self.before_reset.remove(&entry.key).is_some();
                self.put(Arc::clone(&entry));
                if !known {
                    self.tell_existence(&entry.key, true);
                }
            }
            rows::GRAYS => self.put_gray(rows::read_gray(&row.key, value)?),
            rows::HISTORY => self.history.file(&rows::read_history(&row.key, value)?),
            table => {
                return Err(format!(
                    "config has no table {table}: the data is of a newer version; update this node"
                ));
            }
        }
        Ok(())
    }

    /// Ends a restore: what the new state does not have is gone for readers, too.
    pub(crate) fn settle(&mut self) {
        if !std::mem::take(&mut self.restoring) {
            return;
        }
        self.show_restored_grays();
        for key in std::mem::take(&mut self.before_reset).into_keys() {
            self.outputs.push_back(Output::Retire(key.clone()));
            self.notify(&key);
            self.tell_existence(&key, false);
        }
    }

    /// Makes an entry the current one, for readers and listeners, too.
    pub(crate) fn put(&mut self, entry: Arc<Entry>) {
        self.contents_bytes += weight_of(&entry);
        self.outputs.push_back(Output::Publish(Arc::clone(&entry)));
        if let Some(replaced) = self.entries.insert(entry.key.clone(), Arc::clone(&entry)) {
            self.contents_bytes -= weight_of(&replaced);
        }
        self.notify(&entry.key);
    }

    /// Takes the current entry away, from readers and listeners, too.
    pub(crate) fn take(&mut self, key: &ConfigKey) -> Option<Arc<Entry>> {
        let entry = self.entries.remove(key)?;
        self.contents_bytes -= weight_of(&entry);
        self.outputs.push_back(Output::Retire(key.clone()));
        self.notify(key);
        self.tell_existence(key, false);
        Some(entry)
    }

    /// Tells those who watch names that this one came or went.
    pub(crate) fn tell_existence(&mut self, key: &ConfigKey, exists: bool) {
        for to in self.watchers.of(|pattern| pattern.takes(key)) {
            self.outputs.push_back(Output::Existence { to, key: key.clone(), exists });
        }
    }

    /// Tells the listeners of a key whose md5 of it is another now.
    pub(crate) fn notify(&mut self, key: &ConfigKey) {
        let formal = self.md5_formal(key);
        let grays = self.grays_shown.get(key);
        let told = self.listeners.told(key, |audience| {
            let gray = grays.and_then(|grays| grays.of(audience));
            Arc::clone(gray.map_or(&formal, |gray| &gray.entry.md5))
        });
        for ((to, listener), md5) in told {
            let key = key.clone();
            self.outputs.push_back(Output::Event(journal::Kind::Notified(to), subject(&key)));
            self.outputs.push_back(Output::Notify { to, listener, key, md5 });
        }
    }
}

/// The journal's name for a key.
pub(crate) fn subject(key: &ConfigKey) -> journal::Subject {
    let ConfigKey { namespace, group, data_id } = key.clone();
    journal::Subject::Config { namespace, group, data_id }
}

/// What an entry is counted as: its texts and its place in the maps.
pub(crate) fn weight_of(entry: &Entry) -> u64 {
    weight(&entry.content, &entry.details)
}

/// The same, before there is an entry.
pub(crate) fn weight(content: &Arc<str>, details: &crate::Details) -> u64 {
    const ENTRY_BYTES: usize = 512;
    let texts = [content, &details.schema, &details.encrypted_data_key, &details.tags];
    (ENTRY_BYTES + texts.map(|text| text.len()).iter().sum::<usize>()) as u64
}

/// The md5 of a text's UTF-8 bytes in lower-case hex: the version of a content that SDKs compare. Not for secrets.
#[must_use]
pub fn md5_hex(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = String::with_capacity(32);
    for byte in Md5::digest(text.as_bytes()) {
        hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
        hex.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    hex
}
