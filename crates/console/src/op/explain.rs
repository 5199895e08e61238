//! GET …/explain of an instance, a config or a lock: what the journal says of it, and what that comes to.

use super::{config_right, history::EVENTS_MAX, instance_get::Place, lock_right, service_right};
use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape,
    story::{self, Teller},
    words,
};
use access::Action;
use base::Consistency;
use config::ConfigKey;
use journal::Subject;
use std::sync::Arc;

pub(crate) fn of_instance(asked: &mut Asked) -> Result<Plan, Problem> {
    let place = Place::parse(asked)?;
    let wanted = asked.params.consistency(Consistency::Stale)?;
    let right = service_right(Action::Read, &place.service);
    let explain = Explain { subject: place.subject(), about: About::Instance(place) };
    Ok(Plan::new(right, explain).fresh(wanted))
}

pub(crate) fn of_config(asked: &mut Asked) -> Result<Plan, Problem> {
    let data_id = asked.segment(0).to_owned();
    let key = asked.params.config(&data_id)?;
    let wanted = asked.params.consistency(Consistency::Linearizable)?;
    let subject = Subject::Config {
        namespace: Arc::clone(&key.namespace),
        group: Arc::clone(&key.group),
        data_id: Arc::clone(&key.data_id),
    };
    let right = config_right(Action::Read, &key);
    Ok(Plan::new(right, Explain { subject, about: About::Config(key) }).fresh(wanted))
}

pub(crate) fn of_lock(asked: &mut Asked) -> Result<Plan, Problem> {
    let key: Arc<str> = asked.segment(0).into();
    let wanted = asked.params.consistency(Consistency::Linearizable)?;
    let right = lock_right(Action::Read, &key);
    let subject = Subject::Lock(Arc::clone(&key));
    Ok(Plan::new(right, Explain { subject, about: About::Lock(key) }).fresh(wanted))
}

#[derive(Debug)]
struct Explain {
    subject: Subject,
    about: About,
}

#[derive(Debug)]
enum About {
    Instance(Place),
    Config(ConfigKey),
    Lock(Arc<str>),
}

impl Operation for Explain {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        let (events, dropped, silent) = match answer {
            None => {
                let subject = self.subject.clone();
                return Ok(Next::Ask(Ask::Explain { subject, limit: EVENTS_MAX }));
            }
            Some(Answer::Explained { events, dropped, silent }) => (events, dropped, silent),
            other => mismatch(&other),
        };
        let teller = Teller {
            node: cx.facts.connection.node,
            now_ms: cx.now.unix_ms,
            subject: &self.subject,
            events: &events,
            dropped,
        };
        let sentence = match &self.about {
            About::Instance(place) => {
                let name = format!("{}:{} of {}", place.ip, place.port, place.service);
                story::of_instance(&teller, &name, place.listed(cx.views).as_deref())
            }
            About::Config(key) => story::of_config(&teller, key, cx.views.config(key).as_deref()),
            About::Lock(key) => story::of_lock(&teller, key, cx.views.lock(key).as_deref()),
        };
        let history = shape::History {
            subject: self.subject.to_string(),
            events: events.iter().map(words::event).collect(),
            dropped,
            silent: silent.iter().map(ToString::to_string).collect(),
        };
        Ok(Reply::json(&shape::Explanation { history, sentence }))
    }
}
