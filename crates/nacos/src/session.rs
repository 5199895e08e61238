//! One connection: every request becomes a `Call`, the stream carries pushes and their acks, silence is noticed.

use crate::{
    Answer, Ask, CallId, Connected, Facts, Input, NodeState, Noted, Output, Payload, Place,
    Pushing, Tell, Views,
    call::{Call, Reader, Surroundings},
    client::Client,
    credential::Credential,
    fault::Fault,
    form::Form,
    grpc,
    liveness::{Liveness, Verdict},
    operation::{Event, Next, Operate},
    reply::{self, Door, Envelope, Rendered},
    routes,
    server_ops::members,
    setup::{self, Setup},
};
use base::{Consistency, Duration, Instant, Limit, LogIndex, Now, RequestId};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// A request may overtake the setup that was sent before it on another stream of the same connection. SDKs answer 301
/// with a reconnect, so it waits this long for its setup.
pub const SETUP_WAIT: Duration = Duration::from_millis(300);

/// The state of one connection of a Nacos client.
#[derive(Debug)]
pub struct Session {
    facts: Facts,
    /// What SDKs see as their connection's id.
    name: String,
    /// When it was accepted.
    since_ms: u64,
    /// The greatest index of the log that was told over HTTP.
    seen: LogIndex,
    client: Client,
    liveness: Liveness,
    /// Boxed: a map makes room for eleven at once, and most connections have one.
    calls: BTreeMap<CallId, Box<Call>>,
    /// Questions that are not answered yet, with the call that asked; `None` when nobody waits for the answer.
    asked: BTreeMap<RequestId, Option<CallId>>,
    newest_ask: RequestId,
    /// Requests that came after the stream was opened and before its setup, with the time until which they wait.
    early: Vec<(Instant, CallId, Payload)>,
    outputs: VecDeque<Output>,
    noted: Vec<Noted>,
    closed: bool,
}

impl Session {
    /// The session of a connection that was just accepted.
    #[must_use]
    pub fn new(now: Now, facts: Facts) -> Self {
        let (ip, port) = (facts.remote.ip().to_canonical(), facts.remote.port());
        Self {
            name: format!("{}_{ip}_{port}", now.unix_ms),
            since_ms: now.unix_ms,
            seen: LogIndex(0),
            facts,
            client: Client::default(),
            liveness: Liveness::new(now.instant),
            calls: BTreeMap::new(),
            asked: BTreeMap::new(),
            newest_ask: RequestId(0),
            early: Vec::new(),
            outputs: VecDeque::new(),
            noted: Vec::new(),
            closed: false,
        }
    }

    /// Takes one input. After `Output::Close` nothing is taken any more.
    pub fn step(&mut self, now: Now, views: &impl Views, input: Input) {
        if self.closed {
            return;
        }
        match input {
            Input::Http { call, request } => self.http(now, views, call, &request),
            Input::Unary { call, payload } => {
                self.hear(now);
                if self.may_wait(&payload) {
                    self.early.push((now.instant.after(SETUP_WAIT), call, payload));
                } else {
                    self.unary(now, views, call, &payload);
                }
            }
            Input::StreamOpened => {
                self.client.streams = self.client.streams.saturating_add(1);
                self.client.subscriptions.restart();
                self.client.listening.restart();
                self.client.watched_services.restart();
                self.client.watched_configs.restart();
            }
            Input::StreamPayload(payload) => {
                self.stream(now, &payload);
                if self.client.registered {
                    self.admit(now, views, Instant::from_nanos(u64::MAX));
                }
            }
            Input::StreamClosed => {
                // A stream that was replaced ends, too: it says nothing of the one that replaced it.
                self.client.streams = self.client.streams.saturating_sub(1);
                if self.client.registered && !self.client.is_streaming() {
                    self.close("the client ended its stream");
                }
            }
            Input::Dropped(call) => {
                self.early.retain(|(_, early, _)| *early != call);
                if let Some(record) = self.calls.remove(&call) {
                    self.release(call, &record);
                }
            }
            Input::Answer { id, answer } => self.answer(now, views, id, answer),
            Input::Push { clusters, view } => self.client.subscriptions.offer(clusters, view),
            Input::Watched { service } => {
                let exists = views.service(&service).is_some();
                self.client.watched_services.changed(&service, exists);
            }
            Input::Notify { listener: 0, key, md5: _ } => self.client.listening.changed(&key),
            Input::Notify { listener, key, md5: _ } => {
                let held = CallId(listener - 1);
                if self.calls.get(&held).is_some_and(|call| call.listens()) {
                    self.drive(now, views, held, Event::Changed(key));
                }
            }
            Input::Existence { key, exists } => self.client.watched_configs.changed(&key, exists),
            Input::Drain => self.drain(now, views),
            Input::Move(to) => {
                if self.connected().is_some() {
                    self.reset(views, to);
                }
            }
            Input::Wake => {}
        }
        self.tend(now, views);
    }

    /// The next thing to do, in order.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.outputs = VecDeque::new(); // most connections wait most of the time
        }
        output
    }

    /// What was counted since it was asked last: to be taken after each step.
    pub fn noted(&mut self) -> impl Iterator<Item = Noted> + '_ {
        self.noted.drain(..)
    }

    /// What was sent on the stream and is not confirmed yet.
    #[must_use]
    pub fn in_flight_len(&self) -> usize {
        self.client.subscriptions.in_flight_len() + self.client.listening.in_flight_len()
    }

    /// When to step `Input::Wake` at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let held = self.calls.values().filter_map(|call| call.due).min();
        let held = [held, self.early.first().map(|(due, _, _)| *due)].into_iter().flatten().min();
        if !self.client.registered {
            return held;
        }
        let streamed = if self.client.is_streaming() {
            let pushed = self.client.subscriptions.deadline();
            let listened = self.client.listening.deadline();
            let services = self.client.watched_services.deadline();
            let configs = self.client.watched_configs.deadline();
            [pushed, listened, services, configs].into_iter().flatten().min()
        } else {
            None
        };
        [held, streamed, Some(self.liveness.deadline())].into_iter().flatten().min()
    }

    fn http(&mut self, now: Now, views: &impl Views, call: CallId, request: &http::Request<Bytes>) {
        self.hear(now);
        let path = request.uri().path();
        let config = ["/nacos/v1/cs/", "/nacos/v2/cs/"].iter().any(|cs| path.starts_with(cs));
        let envelope = Envelope::of(request.method(), path);
        let door = Door::Http { path: path.to_owned(), config, envelope };
        let status = views.switches().status;
        let parsed = routes::check_size(request, &self.facts.limits)
            .and_then(|()| routes::check_status(status, request.method(), path))
            .and_then(|()| Form::read(request))
            .and_then(|form| {
                let operation = routes::route(request.method(), path, &form)?;
                Ok((operation, routes::reader(request.method(), &form)?, form))
            });
        match parsed {
            Ok((operation, reader, form)) => {
                let tag = form.header(setup::TAG_LABEL).map(Into::into);
                let seen = self.seen.max(reader.seen);
                let reader = Reader { seen, ..reader };
                let record = Call::new(door, operation, Credential::of_form(&form), tag, reader);
                self.begin(now, views, call, record);
            }
            Err(fault) => self.refuse(now, call, &door, &fault),
        }
    }

    /// Whether the setup of this request's connection can be expected any moment.
    fn may_wait(&self, payload: &Payload) -> bool {
        self.client.is_streaming()
            && !self.client.registered
            && self.early.len() < self.facts.limits.calls_max
            && grpc::kind(payload) != "ServerCheckRequest"
    }

    /// Ends the wait of early requests that waited until this moment.
    fn admit(&mut self, now: Now, views: &impl Views, until: Instant) {
        let waited = self.early.iter().take_while(|(due, _, _)| *due <= until).count();
        for (_, call, payload) in self.early.drain(..waited).collect::<Vec<_>>() {
            self.unary(now, views, call, &payload);
        }
    }

    fn unary(&mut self, now: Now, views: &impl Views, call: CallId, payload: &Payload) {
        let read = grpc::request_id(payload);
        let (request_id, readable) = match read {
            Ok(request_id) => (request_id, Ok(())),
            Err(error) => (None, Err(error)),
        };
        if grpc::kind(payload) == "ServerCheckRequest" {
            let door = Door::Grpc { request_id, response: "ServerCheckResponse" };
            let rendered = match views.state() {
                // Told to look elsewhere, or to come back: both are what an SDK does with 300.
                NodeState::Starting | NodeState::Draining => {
                    door.refuse(&Fault::starting(), now.unix_ms)
                }
                NodeState::Ready => setup::server_check(&door, &self.name),
            };
            return self.send(call, rendered);
        }
        match grpc::route(payload, readable, self.client.registered) {
            Err(fault) => {
                let door = Door::Grpc { request_id, response: "ErrorResponse" };
                self.refuse(now, call, &door, &fault);
            }
            Ok(parsed) => {
                let door = Door::Grpc { request_id, response: parsed.response };
                match parsed.operation {
                    Ok(operation) => {
                        let credential = Credential::of_payload(payload);
                        let tag = grpc::header(payload, setup::TAG_LABEL).map(Into::into);
                        let reader = Reader::default();
                        let record = Call::new(door, operation, credential, tag, reader);
                        self.begin(now, views, call, record);
                    }
                    Err(fault) => self.refuse(now, call, &door, &fault),
                }
            }
        }
    }

    fn stream(&mut self, now: Now, payload: &Payload) {
        if grpc::kind(payload) == "ConnectionSetupRequest" {
            match Setup::read(payload) {
                Ok(setup) => self.set_up(now, setup),
                Err(_) => return self.close("the connection setup cannot be read"),
            }
        } else if let Ok(Some(id)) = grpc::request_id(payload)
            && let Ok(request) = id.parse()
        {
            // Whatever answers a request confirms it: SDKs exist that answer with another type.
            if let Some(waited) = self.client.listening.acknowledge(now.instant, request) {
                self.noted.push(Noted::Acknowledged { plane: Pushing::Config, waited });
            }
            self.client.watched_services.acknowledge(request);
            self.client.watched_configs.acknowledge(request);
            let acknowledged = self.client.subscriptions.acknowledge(now.instant, request);
            if let Some((tell, waited)) = acknowledged {
                self.noted.push(Noted::Acknowledged { plane: Pushing::Registry, waited });
                self.outputs.push_back(Output::Tell(tell));
            }
        }
        self.hear(now);
    }

    fn set_up(&mut self, now: Now, setup: Setup) {
        let first = !self.client.registered;
        self.client.registered = true;
        self.client.agent = setup.agent.clone();
        self.client.application = setup.application;
        self.client.address = setup.address;
        self.client.tag = setup.tag;
        if first {
            self.liveness.hear(now.instant);
            self.outputs.push_back(Output::Tell(Tell::Opened { agent: setup.agent }));
        }
        if setup.wants_abilities {
            let request = self.client.next_request();
            self.outputs.push_back(Output::Stream(setup::abilities(request)));
        }
    }

    /// Something arrived.
    fn hear(&mut self, now: Now) {
        if self.liveness.hear(now.instant) && self.client.registered {
            self.outputs.push_back(Output::Tell(Tell::Heard));
        }
    }

    fn begin(&mut self, now: Now, views: &impl Views, id: CallId, call: Call) {
        let mut call = Box::new(call);
        if self.calls.len() >= self.facts.limits.calls_max {
            let fault = Fault::from(crate::Unavailable::Overloaded).at(Limit::Calls);
            return self.refuse(now, id, &call.door, &fault);
        }
        let next = call.begin(&mut Surroundings {
            views,
            now,
            facts: &self.facts,
            call: id,
            client: &mut self.client,
        });
        self.follow(now, views, id, call, next);
    }

    /// Goes on with a call; of a call that is over: nothing.
    fn drive(&mut self, now: Now, views: &impl Views, id: CallId, event: Event) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        let next = call.resume(
            &mut Surroundings {
                views,
                now,
                facts: &self.facts,
                call: id,
                client: &mut self.client,
            },
            event,
        );
        self.follow(now, views, id, call, next);
    }

    fn follow(
        &mut self,
        now: Now,
        views: &impl Views,
        id: CallId,
        mut call: Box<Call>,
        next: Next,
    ) {
        if let Some(subscription) = self.client.udp.take() {
            self.outputs.push_back(Output::Tell(Tell::Subscribes(subscription)));
        }
        let rendered = match next {
            Next::Ask(ask) => {
                self.ask(Some(id), ask);
                self.calls.insert(id, call);
                return;
            }
            Next::Hold(due) => {
                call.due = Some(due);
                self.calls.insert(id, call);
                return;
            }
            Next::Reply(rendered) => {
                let mut rendered = call.door.wrapped(rendered);
                match (&mut rendered, &call.freshness) {
                    (Rendered::Http(response), _) => self.stamp(now, views, &call, response),
                    (Rendered::Grpc(payload), Some(fresh)) if call.is_staler_than_wanted() => {
                        reply::stamp_payload(payload, fresh);
                    }
                    (Rendered::Grpc(_), _) => {}
                }
                rendered
            }
            Next::Fault(fault) => {
                self.note(&fault);
                call.door.refuse(&fault, now.unix_ms)
            }
        };
        self.send(id, rendered);
        self.release(id, &call);
    }

    /// Says what an answer is worth, or through which entry its write can be read.
    fn stamp(
        &mut self,
        now: Now,
        views: &impl Views,
        call: &Call,
        response: &mut http::Response<Bytes>,
    ) {
        if let Some(fresh) = &call.freshness {
            reply::stamp(response, fresh);
            self.seen = self.seen.max(fresh.applied);
        } else if call.may_have_written()
            && let Some(here) = views.freshness(now, Consistency::Stale, LogIndex(0))
        {
            reply::stamp_write(response, &here);
            self.seen = self.seen.max(here.applied);
        }
    }

    fn ask(&mut self, call: Option<CallId>, ask: Ask) {
        self.newest_ask = self.newest_ask.next();
        self.asked.insert(self.newest_ask, call);
        self.outputs.push_back(Output::Ask { id: self.newest_ask, ask });
    }

    fn answer(&mut self, now: Now, views: &impl Views, id: RequestId, answer: Answer) {
        if let Some(Some(call)) = self.asked.remove(&id) {
            self.drive(now, views, call, Event::Answer(answer));
        }
    }

    fn release(&mut self, id: CallId, call: &Call) {
        if let Some(ask) = call.operation.release(id) {
            self.ask(None, ask);
        }
    }

    fn refuse(&mut self, now: Now, call: CallId, door: &Door, fault: &Fault) {
        self.note(fault);
        self.send(call, door.refuse(fault, now.unix_ms));
    }

    fn note(&mut self, fault: &Fault) {
        self.noted.extend(fault.limit.map(Noted::Rejected));
        self.noted.extend(fault.denial.map(Noted::Denied));
    }

    fn send(&mut self, call: CallId, rendered: Rendered) {
        self.outputs.push_back(match rendered {
            Rendered::Http(response) => Output::Http { call, response },
            Rendered::Grpc(payload) => Output::Unary { call, payload },
        });
    }

    fn close(&mut self, why: &'static str) {
        self.closed = true;
        self.outputs.push_back(Output::Close(why));
    }

    fn drain(&mut self, now: Now, views: &impl Views) {
        let held: Vec<CallId> =
            self.calls.iter().filter(|(_, call)| call.is_held()).map(|(id, _)| *id).collect();
        for call in held {
            self.drive(now, views, call, Event::Due);
        }
        if self.client.registered && self.liveness.drain(now.instant) && self.client.is_streaming()
        {
            self.reset(views, None);
        }
    }

    /// Asks the client to go there, or to another member: the connections are dealt out in turn.
    fn reset(&mut self, views: &impl Views, to: Option<Place>) {
        let to = to.or_else(|| members::another(views, self.facts.connection.counter));
        let request = self.client.next_request();
        self.outputs.push_back(Output::Stream(setup::reset(request, to.as_ref())));
        self.outputs.push_back(Output::Tell(Tell::Moving));
    }

    /// What is to be told of the client, if it is one with a stream.
    #[must_use]
    pub fn connected(&self) -> Option<Connected> {
        (self.client.registered && self.client.is_streaming()).then(|| Connected {
            name: self.name.clone(),
            agent: self.client.agent.clone(),
            application: self.client.application.clone(),
            remote: self.facts.remote,
            local: self.facts.local,
            since_ms: self.since_ms,
        })
    }

    /// Everything that is due, and everything that may be sent by now.
    fn tend(&mut self, now: Now, views: &impl Views) {
        let due: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, call)| call.due.is_some_and(|due| due <= now.instant))
            .map(|(id, _)| *id)
            .collect();
        for call in due {
            self.drive(now, views, call, Event::Due);
        }
        self.admit(now, views, now.instant);
        if !self.client.registered || self.closed {
            return;
        }
        match self.liveness.check(now.instant) {
            Verdict::Fine => {}
            Verdict::Detect => {
                if self.client.is_streaming() {
                    let request = self.client.next_request();
                    self.outputs.push_back(Output::Stream(setup::detection(request)));
                }
            }
            Verdict::Gone(why) => return self.close(why),
        }
        if self.client.is_streaming() {
            for payload in self.client.sendable(now, views) {
                self.outputs.push_back(Output::Stream(payload));
            }
            let Client { subscriptions, listening, .. } = &mut self.client;
            for (plane, lost) in [
                (Pushing::Registry, &mut subscriptions.lost_count),
                (Pushing::Config, &mut listening.lost_count),
            ] {
                for _ in 0..std::mem::take(lost) {
                    self.noted.push(Noted::Unacknowledged(plane));
                }
            }
        }
    }
}
