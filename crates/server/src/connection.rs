//! One connection: hyper on one side, the host on the other.

use crate::{
    body::Body,
    clock::Clock,
    grpc, http_calls,
    intake::{Budget, Intake},
    limits::Limits,
    peer::Told,
    requests::Requests,
    traffic::{Answer, InProgress, Traffic},
    turn::{Broken, Driver, Strands},
};
use base::{ConnectionId, Limit};
use host::{Arrival, Host, Sending};
use http::{Request, Response};
use hyper::body::Incoming;
use nacos::CallId;
use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Wake, Waker},
};
use tokio::{
    net::TcpStream,
    sync::{Notify, oneshot},
};

/// What all connections of a server share.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) host: Arc<Host>,
    pub(crate) clock: Clock,
    pub(crate) limits: Arc<Limits>,
    pub(crate) bodies: Arc<Budget>,
    pub(crate) requests: Arc<Requests>,
    /// What is known of links to other nodes.
    pub(crate) told: Arc<Told>,
}

/// The host's side of a connection. The host wakes it when it has something to send.
pub(crate) struct Door {
    pub(crate) host: Arc<Host>,
    pub(crate) clock: Clock,
    pub(crate) connection: ConnectionId,
    pub(crate) remote: SocketAddr,
    pub(crate) limits: Arc<Limits>,
    pub(crate) requests: Arc<Requests>,
    /// What is known of links to other nodes.
    pub(crate) told: Arc<Told>,
    bodies: (Arc<Budget>, Arc<Budget>),
    last_call: AtomicU64,
    /// gRPC streams opened so far.
    pub(crate) streams: Arc<AtomicU64>,
    /// What goes on beside the requests, in the connection's task.
    pub(crate) strands: Strands,
    calls: Mutex<Calls>,
    traffic: Arc<Traffic>,
    close: Notify,
}

impl Wake for Door {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        while let Some(sending) = self.host.take_sending(self.connection) {
            let call = match &sending {
                Sending::Http { call, .. }
                | Sending::Unary { call, .. }
                | Sending::Events { call, .. } => *call,
                Sending::Close => {
                    self.close.notify_one();
                    continue;
                }
            };
            if let Some(waiting) = take(&mut self.calls(), call) {
                // A client that went away meanwhile needs no answer.
                let _ = waiting.send(sending);
            }
        }
    }
}

impl Door {
    pub(crate) fn deliver(&self, arrival: Arrival) {
        self.host.deliver(self.clock.now(), self.connection, arrival);
    }

    /// Delivers a call and waits for its answer; `None` when the connection ends first. Dropping the future tells the
    /// host that nobody waits any more.
    pub(crate) async fn call(
        self: &Arc<Self>,
        arrival: impl FnOnce(CallId) -> Arrival,
    ) -> Option<Sending> {
        let call = CallId(self.last_call.fetch_add(1, Ordering::Relaxed) + 1);
        let (sender, receiver) = oneshot::channel();
        self.calls().push((call, sender));
        let mut waiting = Waiting { door: self, call, answered: false };
        self.deliver(arrival(call));
        let answer = receiver.await.ok();
        waiting.answered = answer.is_some();
        answer
    }

    fn close_if_abusive(&self) {
        if self.traffic.is_abusive(&self.limits) {
            self.host.tally.reject(Limit::AbandonedRequests);
            self.close.notify_one();
        }
    }

    /// A body to be read within this server's limits.
    pub(crate) fn intake(&self, body: Incoming) -> Intake {
        let (all, own) = self.bodies.clone();
        Intake::new(body, self.limits.clone(), all, own, self.traffic.clone(), self.host.clone())
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls that wait for their answer: as many as a connection may have streams, and mostly one.
type Calls = Vec<(CallId, oneshot::Sender<Sending>)>;

fn take(calls: &mut Calls, call: CallId) -> Option<oneshot::Sender<Sending>> {
    let place = calls.iter().position(|(waiting, _)| *waiting == call)?;
    Some(calls.swap_remove(place).1)
}

struct Waiting<'a> {
    door: &'a Door,
    call: CallId,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            take(&mut self.door.calls(), self.call);
            self.door.deliver(Arrival::Dropped(self.call));
        }
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(common: Common, socket: TcpStream, login: bool) {
    let (Ok(remote), Ok(local)) = (socket.peer_addr(), socket.local_addr()) else { return };
    // Small answers must not wait for the next one.
    let _ = socket.set_nodelay(true);
    let Common { host, clock, limits, bodies, requests, told } = common;
    let connection = host.open(clock.now(), remote, local, login);
    let door = Arc::new(Door {
        host: host.clone(),
        clock,
        connection,
        remote,
        limits: limits.clone(),
        requests,
        told,
        bodies: (bodies, Arc::default()),
        last_call: AtomicU64::new(0),
        streams: Arc::default(),
        strands: Strands::default(),
        calls: Mutex::default(),
        traffic: Traffic::new(),
        close: Notify::new(),
    });
    host.listen(connection, Waker::from(door.clone()));
    let mut driver = Driver::new(socket, door.clone());
    let reason = tokio::select! {
        biased;
        ended = poll_fn(|task| driver.poll(task)) => Err(match ended {
            Ok(()) => "closed by the client",
            Err(Broken) => "broken off",
        }),
        () = door.close.notified() => Ok("closed by this node"),
        reason = door.traffic.watch(&limits) => Ok(reason),
    };
    if let Some(limit) = door.traffic.reached(&limits) {
        host.tally.reject(limit);
    }
    if reason.is_ok() {
        driver.wind_up();
        let rest = poll_fn(|task| driver.poll(task));
        let _ = tokio::time::timeout(limits.close_timeout, rest).await;
    }
    let (Ok(reason) | Err(reason)) = reason;
    host.close(clock.now(), connection, reason);
}

/// Answers one request.
pub(crate) async fn answer(
    door: Arc<Door>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let in_progress = Begun { door: &door, request: Some(door.traffic.begin()) };
    let response = if grpc::is_grpc(&request) {
        grpc::serve(door.clone(), request).await
    } else {
        let asked = door.requests.asked(request.method(), request.uri().path());
        let begun = std::time::Instant::now();
        let response = http_calls::serve(door.clone(), request).await;
        door.requests.answered(asked, response.status().as_u16(), begun.elapsed());
        response
    };
    Ok(in_progress.answered(response))
}

/// A request whose client may give it up.
struct Begun<'a> {
    door: &'a Door,
    request: Option<InProgress>,
}

impl Begun<'_> {
    fn answered(mut self, response: Response<Body>) -> Response<Answer> {
        let request = self.request.take().expect("taken here and nowhere else");
        self.door.close_if_abusive();
        response.map(|body| request.answered(body))
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if self.request.take().is_some() {
            self.door.close_if_abusive();
        }
    }
}
