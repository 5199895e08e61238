//! GET /v1/services/{name}: a service with its instances, once or (`watch=true`) each time it changes.

use super::{naming_reply, no_service, service_right};
use crate::{
    Answer, Ask, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::Service,
    stream::Watch,
};
use access::Action;
use base::Consistency;
use http::header::USER_AGENT;
use naming::{ClusterNames, ServiceKey, ServiceView, Subscriber};
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let name = asked.segment(0).to_owned();
    let params = &mut asked.params;
    let key = params.service(&name)?;
    let clusters = names::clusters(&params.take("clusters").unwrap_or_default())?;
    let watch = params.take_as("watch", "`true` or `false`")?.unwrap_or(false);
    let wanted = params.consistency(Consistency::Stale)?;
    let right = service_right(Action::Read, &key);
    if !watch {
        return Ok(Plan::new(right, ServiceGet { key, clusters }).fresh(wanted));
    }
    let agent = asked.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent = agent.unwrap_or("console").into();
    Ok(Plan::new(right, ServiceWatch { key, clusters, agent }).fresh(wanted))
}

#[derive(Debug)]
struct ServiceGet {
    key: ServiceKey,
    clusters: ClusterNames,
}

impl Operation for ServiceGet {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        let view = cx.views.service(&self.key).ok_or_else(|| no_service(&self.key))?;
        Ok(Reply::tagged(&Service::of(&view, &self.clusters), &view.version.to_string()))
    }
}

#[derive(Debug)]
struct ServiceWatch {
    key: ServiceKey,
    clusters: ClusterNames,
    agent: Arc<str>,
}

impl Operation for ServiceWatch {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            return Ok(Next::Ask(Ask::Naming(naming::Request::Subscribe {
                service: self.key.clone(),
                // All of them: one connection has one subscription per service, and its streams may differ.
                clusters: [].into(),
                subscriber: Subscriber {
                    address: cx.facts.remote.to_string().into(),
                    agent: Arc::clone(&self.agent),
                    application: "".into(),
                },
            })));
        }
        match naming_reply(answer)? {
            naming::Reply::Done => {}
            other => mismatch(&Some(Answer::Naming(other))),
        }
        // A service that is not there yet may come: it is watched as an empty one.
        let view = cx.views.service(&self.key).unwrap_or_else(|| {
            Arc::new(ServiceView {
                key: self.key.clone(),
                version: 0,
                instances: [].into(),
                protect_threshold: 0.0,
                metadata: None,
            })
        });
        Ok(Next::Watch(Watch::Service {
            key: self.key.clone(),
            clusters: Arc::clone(&self.clusters),
            newest: Some(view),
            sent: None,
        }))
    }
}
