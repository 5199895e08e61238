//! The state of the plane and its three verbs.

use crate::{
    Change, Command, Input, Output, Reply, Request, View, check, edit,
    failures::{FAILURES_MAX, Failures},
};
use base::{ConnectionId, Instant, Now, RequestId, Revision, Row};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// What may differ between nodes: nothing that `apply` decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// See [`FAILURES_MAX`], its default. At least 1.
    pub failures_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { failures_max: FAILURES_MAX }
    }
}

/// The access tables of one node.
#[derive(Debug)]
pub struct Access {
    pub(crate) view: Arc<View>,
    failures: Failures,
    pub(crate) outputs: VecDeque<Output>,
}

impl Default for Access {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Access {
    /// Nobody may come in yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            view: Arc::new(View::empty()),
            failures: Failures::new(settings.failures_max),
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input.
    pub fn step(&mut self, now: Now, input: Input) {
        match input {
            Input::Request { from, id, request } => self.request(now, from, id, request),
            Input::Restore(piece) => self.restore(&piece),
            // Not published: until the first piece is here, decisions are made from the old tables, not from none.
            Input::Reset => self.view = Arc::new(View::empty()),
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

    /// The tables as they are now; before the first `Publish` nobody may come in.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    fn request(&mut self, now: Now, to: ConnectionId, id: RequestId, request: Request) {
        let reply = match request {
            Request::Change(change) => match self.propose(now, change) {
                Ok(command) => {
                    self.outputs.push_back(Output::Propose { to, id, command });
                    return;
                }
                Err(why) => Reply::Refused(why),
            },
            Request::Attempt { user, address } => {
                match self.failures.retry_after(now.instant, &user, &address) {
                    Some(retry_after) => Reply::TooManyFailures { retry_after },
                    None => Reply::Proceed,
                }
            }
            Request::Attempted { user, address, right } => {
                self.attempted(now, &user, &address, right);
                Reply::Noted
            }
        };
        self.outputs.push_back(Output::Reply { to, id, reply });
    }

    fn propose(&self, now: Now, change: Change) -> Result<Command, String> {
        check::change(&change)?;
        Ok(Command { change, at_ms: now.unix_ms })
    }

    fn attempted(&mut self, now: Now, user: &str, address: &str, right: bool) {
        if right {
            self.failures.clear(user, address);
        } else if self.failures.count(now.instant, user, address) {
            let why = format!("too many failed logins from {address}");
            let subject = journal::Subject::Access(user.into());
            self.outputs.push_back(Output::Event(journal::Kind::Refused(why.into()), subject));
        }
    }

    fn restore(&mut self, piece: &[Row]) {
        let view = Arc::make_mut(&mut self.view);
        for row in piece {
            match edit::read(row) {
                Ok(edit) => edit.make(view),
                Err(why) => {
                    self.outputs.push_back(Output::Halt(why));
                    return;
                }
            }
        }
        self.outputs.push_back(Output::Publish(Arc::clone(&self.view)));
    }
}

impl View {
    /// No user, no key: every token is refused and nothing is allowed.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            revision: Revision(0),
            token_key: None,
            users: BTreeMap::new(),
            roles: BTreeMap::new(),
            permissions: BTreeMap::new(),
            namespaces: BTreeMap::new(),
        }
    }
}
