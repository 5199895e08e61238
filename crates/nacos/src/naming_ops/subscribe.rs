//! Ask for pushes of a service, or no longer: gRPC `SubscribeServiceRequest`.

use super::instance::{request_of_service, resource};
use crate::{
    Answer, Ask, Format, check,
    fault::Fault,
    form, grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    service_info::{self, Selection},
};
use base::Consistency;
use naming::{Reply, Request, ServiceKey, Subscriber};

#[derive(Debug)]
pub(crate) struct Subscribe {
    service: ServiceKey,
    selection: Selection,
    subscribe: bool,
    /// This request made the subscription: if it fails, there is none.
    new: bool,
}

request_of_service! {
    struct Body {
        #[serde(deserialize_with = "json::text")]
        clusters: Option<String>,
        subscribe: Option<bool>,
    }
}

impl Subscribe {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let mut body: Body = grpc::read(body)?;
        let fields = body.service();
        fields.filter()?;
        let clusters = form::clusters(body.clusters.as_deref());
        clusters.iter().try_for_each(|name| check::cluster(name))?;
        let selection = Selection { clusters, healthy_only: false };
        let subscribe = body.subscribe.unwrap_or(false);
        Ok(Self { service: fields.key()?, selection, subscribe, new: false }.into())
    }
}

impl Operate for Subscribe {
    fn need(&self) -> Need {
        Need::read(resource(&self.service), Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let service = self.service.clone();
        if !self.subscribe {
            // Taken out before the plane is asked: after the answer nothing may be pushed any more.
            context.client.subscriptions.remove(&service);
            return Next::Ask(Ask::Naming(Request::Unsubscribe { service }));
        }
        self.new = context.client.subscriptions.add(service.clone());
        let subscriber = Subscriber {
            address: context.facts.remote.to_string().into(),
            agent: context.client.agent.clone(),
            application: context.client.application.clone(),
        };
        let clusters = self.selection.clusters.clone();
        Next::Ask(Ask::Naming(Request::Subscribe { service, clusters, subscriber }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Naming(Reply::Done)) => {
                let (views, service) = (context.views, &self.service);
                let list = if self.subscribe {
                    service_info::current(views, service, Format::Grpc, &self.selection)
                } else {
                    service_info::empty(views, service, Format::Grpc, &self.selection)
                };
                Next::Reply(context.door.service_info(Some("success"), &list))
            }
            event => {
                if self.new {
                    context.client.subscriptions.remove(&self.service);
                }
                failed(event)
            }
        }
    }
}
