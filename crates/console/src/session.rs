//! One connection's conversation.

use crate::{
    Answer, Ask, CallId, Facts, Input, NodeState, Output, Unavailable, Views, gate,
    operation::{Asked, Context, Next, Operation, Reply, Right},
    params::Params,
    problem::Problem,
    route,
    shape::{FRESHNESS_HEADERS, freshness_values},
    stream::Stream,
};
use access::Principal;
use base::{Consistency, Freshness, Instant, Limit, LogIndex, Now, RequestId};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use naming::ServiceKey;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Calls that wait for an answer, per connection. At the limit a call is refused with 503.
pub const CALLS_MAX: usize = 128;
/// Streams of one connection. At the limit a watch is refused with 429.
pub const STREAMS_MAX: usize = 64;

/// The state of one connection to our own HTTP API.
#[derive(Debug)]
pub struct Session {
    pub(crate) facts: Facts,
    last_id: RequestId,
    /// The node knows the connection.
    opened: bool,
    pub(crate) draining: bool,
    waiting: BTreeMap<RequestId, Waiting>,
    /// How many calls and streams live on the connection's subscription of a service; none: it has ended.
    pub(crate) subscriptions: BTreeMap<ServiceKey, usize>,
    pub(crate) streams: BTreeMap<CallId, Stream>,
    pub(crate) outputs: VecDeque<Output>,
    /// Of the newest input.
    now: Now,
    /// The greatest log index that it has told.
    seen: LogIndex,
    /// The limit at which it refused something, until the host takes it.
    pub(crate) rejected: Option<Limit>,
}

/// What an answer is waited for.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// A call, until its views are fresh.
    Fresh(Box<Work>),
    /// A call, until it can go on.
    Answer(Box<Work>),
    /// Nothing: a subscription that nobody reads any more was given up.
    Nobody,
}

/// A call on its way.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) call: CallId,
    /// For problems: `GET /v1/status on n1`.
    pub(crate) place: String,
    pub(crate) token: Option<Arc<str>>,
    pub(crate) principal: Principal,
    pub(crate) right: Right,
    pub(crate) freshness: Option<Freshness>,
    /// How fresh the views must be, if it reads any, for one who has seen the log so far.
    wanted: Option<Consistency>,
    seen: LogIndex,
    operation: Box<dyn Operation>,
    /// The service that it subscribed to, until it is a stream.
    pub(crate) subscribed: Option<ServiceKey>,
    /// The client went away. What was begun goes on: a wrong password must be counted all the same.
    pub(crate) dropped: bool,
}

impl Session {
    /// A session that has heard nothing yet.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            last_id: RequestId(0),
            opened: false,
            draining: false,
            waiting: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            streams: BTreeMap::new(),
            outputs: VecDeque::new(),
            now: Now::START,
            seen: LogIndex(0),
            rejected: None,
        }
    }

    /// Takes one input in.
    pub fn step(&mut self, now: Now, views: &impl Views, input: Input) {
        self.now = now;
        match input {
            Input::Http { call, request } => self.request(now, views, call, request),
            Input::Dropped(call) => self.dropped(call),
            Input::Sent(call) => self.sent(now, views, call),
            Input::Answer { id, answer } => self.answer(now, views, id, answer),
            Input::Push { clusters: _, view } => self.push(now, views, &view),
            Input::Notify { listener, key: _, md5: _ } => {
                self.notify(now, views, CallId(listener));
            }
            Input::AccessChanged => self.access_changed(now, views),
            Input::Drain => self.drain(),
            Input::Wake => self.wake(now, views),
        }
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The limit at which it refused something, if it did since it was asked last: to be taken after each step.
    pub fn rejected(&mut self) -> Option<Limit> {
        self.rejected.take()
    }

    /// When to step `Input::Wake` at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.streams.values().map(|stream| stream.beat_at).min()
    }

    fn request(&mut self, now: Now, views: &dyn Views, call: CallId, request: Request<Bytes>) {
        let place = format!(
            "{} {} on {}",
            request.method(),
            request.uri().path(),
            self.facts.connection.node
        );
        let work = match self.begin(now, views, call, &place, request) {
            Ok(begun) => begun,
            Err(problem) => {
                if self.waiting.len() >= CALLS_MAX {
                    self.rejected = Some(Limit::Calls);
                }
                return self.refuse(views, call, &place, problem);
            }
        };
        let Some(wanted) = work.wanted else { return self.go(now, views, work, None) };
        match views.freshness(now, wanted, work.seen) {
            Some(freshness) => self.fresh(now, views, work, freshness),
            None => self.ask(Ask::Fresh(wanted), Waiting::Fresh(work)),
        }
    }

    /// Everything that is decided before the first question: the route, who asks, what they want, whether they may.
    fn begin(
        &self,
        now: Now,
        views: &dyn Views,
        call: CallId,
        place: &str,
        request: Request<Bytes>,
    ) -> Result<Box<Work>, Problem> {
        let (head, body) = request.into_parts();
        let (route, segments) = route::find(&head.method, head.uri.path())?;
        if !route.probe {
            self.takes_calls(views).map_err(Problem::unavailable)?;
        }
        let (token, principal) = if route.anonymous {
            (None, Principal::Anonymous)
        } else {
            let token = gate::token(&head.headers)?;
            let principal = gate::authenticate(now, &self.facts, views, token.as_deref())?;
            (token, principal)
        };
        let seen = self.seen.max(seen(&head.headers)?);
        let params = Params::parse(head.uri.query().unwrap_or_default())?;
        let mut asked = Asked { call, segments, params, headers: head.headers, body };
        let plan = (route.parse)(&mut asked)?;
        asked.params.finish()?;
        gate::authorize(views, &principal, &plan.right)?;
        let work = Box::new(Work {
            call,
            place: place.to_owned(),
            token,
            principal,
            right: plan.right,
            freshness: None,
            wanted: plan.fresh,
            seen,
            operation: plan.operation,
            subscribed: None,
            dropped: false,
        });
        Ok(work)
    }

    fn takes_calls(&self, views: &dyn Views) -> Result<(), Unavailable> {
        if views.state() == NodeState::Starting {
            return Err(Unavailable::Starting);
        }
        if self.waiting.len() >= CALLS_MAX {
            return Err(Unavailable::Overloaded);
        }
        Ok(())
    }

    fn dropped(&mut self, gone: CallId) {
        if let Some(stream) = self.streams.remove(&gone) {
            self.give_up(gone, &stream.watch);
        }
        for waiting in self.waiting.values_mut() {
            match waiting {
                Waiting::Fresh(work) | Waiting::Answer(work) if work.call == gone => {
                    work.dropped = true;
                }
                Waiting::Fresh(_) | Waiting::Answer(_) | Waiting::Nobody => {}
            }
        }
    }

    fn answer(&mut self, now: Now, views: &dyn Views, id: RequestId, answer: Answer) {
        let waiting = self.waiting.remove(&id).expect("each question is answered exactly once");
        match (waiting, answer) {
            (Waiting::Nobody, _) => {}
            (Waiting::Fresh(work) | Waiting::Answer(work), Answer::Unavailable(reason)) => {
                self.fail(views, *work, Problem::unavailable(reason));
            }
            (Waiting::Fresh(work), Answer::Fresh(freshness)) => {
                self.fresh(now, views, work, freshness);
            }
            (Waiting::Fresh(_), other) => crate::operation::mismatch(&Some(other)),
            (Waiting::Answer(work), answer) => self.go(now, views, work, Some(answer)),
        }
    }

    fn fresh(&mut self, now: Now, views: &dyn Views, mut work: Box<Work>, freshness: Freshness) {
        let wanted = work.wanted.expect("only who wants fresh views waits for them");
        work.freshness = Some(if of_registry(&work.right) {
            // What is agreed on in it is as fresh as was asked for; what clients say themselves is as it came here.
            views.registry_freshness()
        } else {
            freshness.meeting(wanted, work.seen).unwrap_or(freshness)
        });
        self.go(now, views, work, None);
    }

    fn go(&mut self, now: Now, views: &dyn Views, mut work: Box<Work>, answer: Option<Answer>) {
        let cx = Context { now, facts: &self.facts, views, principal: &work.principal };
        match work.operation.go(&cx, answer) {
            Ok(Next::Ask(ask)) => {
                if let Ask::Naming(naming::Request::Subscribe { service, .. }) = &ask {
                    *self.subscriptions.entry(service.clone()).or_default() += 1;
                    work.subscribed = Some(service.clone());
                }
                self.ask(ask, Waiting::Answer(work));
            }
            Ok(Next::Reply(reply)) => self.reply(views, &work, reply),
            Ok(Next::Watch(watch)) => self.watch(now, views, *work, watch),
            Err(problem) => self.fail(views, *work, problem),
        }
    }

    pub(crate) fn ask(&mut self, ask: Ask, waiting: Waiting) {
        if !self.opened && subscribes(&ask) {
            self.opened = true;
            self.outputs.push_back(Output::Open);
        }
        self.last_id = self.last_id.next();
        self.waiting.insert(self.last_id, waiting);
        self.outputs.push_back(Output::Ask { id: self.last_id, ask });
    }

    fn reply(&mut self, views: &dyn Views, work: &Work, reply: Reply) {
        if !work.dropped {
            self.send(views, work.call, work.freshness, reply);
        }
    }

    pub(crate) fn fail(&mut self, views: &dyn Views, mut work: Work, problem: Problem) {
        if let Some(service) = work.subscribed.take() {
            self.unsubscribe(service);
        }
        self.reply(views, &work, problem.reply(&work.place));
    }

    fn refuse(&mut self, views: &dyn Views, call: CallId, place: &str, problem: Problem) {
        let mut reply = problem.reply(place);
        reply.allow = problem.allow;
        self.send(views, call, None, reply);
    }

    fn send(
        &mut self,
        views: &dyn Views,
        call: CallId,
        freshness: Option<Freshness>,
        reply: Reply,
    ) {
        let mut response = self.head(views, freshness, reply.status, reply.content_type);
        if let Some(etag) = reply.etag {
            response = response.header(header::ETAG, format!("\"{etag}\""));
        }
        if let Some(allow) = reply.allow {
            response = response.header(header::ALLOW, &*allow);
        }
        if reply.status == 401 {
            response = response.header(header::WWW_AUTHENTICATE, "Bearer");
        }
        let response = response.body(reply.body).expect("our own headers are well-formed");
        self.outputs.push_back(Output::Http { call, response });
    }

    /// A head with what every reply carries.
    pub(crate) fn head(
        &mut self,
        views: &dyn Views,
        freshness: Option<Freshness>,
        status: u16,
        content_type: &str,
    ) -> http::response::Builder {
        let freshness = freshness
            .or_else(|| views.freshness(self.now, Consistency::Stale, LogIndex(0)))
            .expect("the host says at once what its views are worth as they are");
        self.seen = self.seen.max(freshness.applied);
        let mut head = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CACHE_CONTROL, "no-store");
        for (name, value) in FRESHNESS_HEADERS.into_iter().zip(freshness_values(&freshness)) {
            head = head.header(name, value);
        }
        head
    }
}

/// Whether what is read or changed under this right is the registry's.
fn of_registry(right: &Right) -> bool {
    matches!(right, Right::To(_, access::Resource::Service { .. }))
}

/// Through which entry the client has seen the log, on whatever node, if it says so.
fn seen(headers: &HeaderMap) -> Result<LogIndex, Problem> {
    let name = FRESHNESS_HEADERS[2];
    let Some(value) = headers.get(name) else { return Ok(LogIndex(0)) };
    let index = value.to_str().ok().and_then(|text| text.parse().ok()).map(LogIndex);
    index.ok_or_else(|| {
        Problem::invalid(
            format!("the header {name} is not understood"),
            "it must be a number, as a reply has it",
            "send it as it came, or leave it out",
        )
    })
}

/// Whether the node must know the connection for this.
fn subscribes(ask: &Ask) -> bool {
    matches!(ask, Ask::Naming(naming::Request::Subscribe { .. }))
}
