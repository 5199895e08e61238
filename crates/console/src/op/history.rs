//! GET …/history of a service, an instance or a namespace: what the journal says of it.

use super::{instance_get::Place, service_right};
use crate::{
    Answer, Ask, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape, words,
};
use access::{Action, Resource};
use journal::{Event, Subject};
use std::sync::Arc;

/// Events of one answer when `limit` is not given.
const EVENTS_DEFAULT: usize = 100;
/// Events of one answer at most.
pub(super) const EVENTS_MAX: usize = 1_000;

pub(crate) fn of_service(asked: &mut Asked) -> Result<Plan, Problem> {
    let name = asked.segment(0).to_owned();
    let key = asked.params.service(&name)?;
    let subject = Subject::Service {
        namespace: Arc::clone(&key.namespace),
        service: key.grouped_name().into(),
    };
    plan(asked, service_right(Action::Read, &key), subject)
}

pub(crate) fn of_instance(asked: &mut Asked) -> Result<Plan, Problem> {
    let place = Place::parse(asked)?;
    let right = service_right(Action::Read, &place.service);
    plan(asked, right, place.subject())
}

pub(crate) fn of_namespace(asked: &mut Asked) -> Result<Plan, Problem> {
    let id = names::namespace(asked.segment(0))?;
    plan(asked, Right::To(Action::Read, Resource::Server), Subject::Access(id))
}

fn plan(asked: &mut Asked, right: Right, subject: Subject) -> Result<Plan, Problem> {
    let limit = asked.params.limit(EVENTS_DEFAULT, EVENTS_MAX)?;
    Ok(Plan::new(right, History { subject, limit }))
}

impl Place {
    /// The instance as the journal names it.
    pub(super) fn subject(&self) -> Subject {
        Subject::Instance {
            namespace: Arc::clone(&self.service.namespace),
            service: self.service.grouped_name().into(),
            address: format!("{}:{}", self.ip, self.port).into(),
        }
    }
}

#[derive(Debug)]
struct History {
    subject: Subject,
    limit: usize,
}

impl History {
    /// Whether an event is of the subject itself, or of an instance of the service: what else belongs to its story is
    /// for `explain`.
    fn is_own(&self, event: &Event) -> bool {
        if event.subject == self.subject {
            return true;
        }
        match (&self.subject, &event.subject) {
            (
                Subject::Service { namespace, service },
                Subject::Instance { namespace: its_namespace, service: its_service, .. },
            ) => namespace == its_namespace && service == its_service,
            _ => false,
        }
    }
}

impl Operation for History {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        match answer {
            None => {
                let subject = self.subject.clone();
                Ok(Next::Ask(Ask::Explain { subject, limit: EVENTS_MAX }))
            }
            Some(Answer::Explained { events, dropped, silent }) => {
                let own: Vec<_> = events.iter().filter(|event| self.is_own(event)).collect();
                let newest = own.len().saturating_sub(self.limit);
                let events = own[newest..].iter().map(|event| words::event(event)).collect();
                let subject = self.subject.to_string();
                let silent = silent.iter().map(ToString::to_string).collect();
                Ok(Reply::json(&shape::History { subject, events, dropped, silent }))
            }
            other => mismatch(&other),
        }
    }
}
