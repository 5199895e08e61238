//! Remove configs by the ids that lists show: `DELETE /v1/cs/configs?delType=ids&ids=1,2`.
//!
//! One after the other, not all or nothing: when one fails, the answer says so and those before it are gone.

use super::{
    fields::{author, resource},
    version,
};
use crate::{
    Answer, Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
};
use access::Action;
use base::Consistency;
use config::{Author, ConfigKey, Outcome, Reply, Request};
use std::collections::{BTreeSet, VecDeque};

/// Ids of one request; more are refused.
pub(crate) const IDS_MAX: usize = 1_000;

#[derive(Debug)]
pub(crate) struct RemoveConfigs {
    ids: BTreeSet<u64>,
    left: VecDeque<ConfigKey>,
    author: Author,
}

impl RemoveConfigs {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let text = form.some("ids").ok_or_else(|| Fault::missing_of("ids", "List"))?;
        let ids: Option<BTreeSet<u64>> = text.split(',').map(|id| id.trim().parse().ok()).collect();
        let ids = ids.ok_or_else(|| Fault::caused("invalid ids : numbers are taken"))?;
        if ids.len() > IDS_MAX {
            return Err(Fault::caused(format!("more than {IDS_MAX} ids in one request")));
        }
        Ok(Self { ids, left: VecDeque::new(), author: Author::default() }.into())
    }

    fn next(&mut self) -> Next {
        match self.left.pop_front() {
            Some(key) => {
                let author = self.author.clone();
                Next::Ask(Ask::Config(Request::Remove { key, author }))
            }
            None => Next::Reply(version::told(None, true)),
        }
    }
}

impl Operate for RemoveConfigs {
    /// Which configs these are is known only once the views are looked at: who asks is proven here, and what may be done
    /// to each of them is decided in `run`.
    fn need(&self) -> Need {
        Need::Right {
            action: Action::Write,
            resources: Vec::new(),
            consistency: Consistency::Linearizable,
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let wanted = |entry: &config::Entry| self.ids.contains(&entry.created.0);
        let found = context.views.configs(None, &wanted, 0, IDS_MAX);
        let access = context.views.access();
        let denied = found.items.iter().any(|entry| {
            access.allows(context.principal, Action::Write, &resource(&entry.key)).is_err()
        });
        if denied {
            return Next::Fault(Fault::forbidden("authorization failed!"));
        }
        self.author = author(context, "");
        self.left = found.items.iter().map(|entry| entry.key.clone()).collect();
        self.next()
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Config(Reply::Outcome(Outcome::Removed { existed: _ }))) => {
                self.next()
            }
            event => failed(event),
        }
    }
}
