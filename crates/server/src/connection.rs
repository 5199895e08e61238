//! One connection: hyper on one side, the host on the other.

use crate::{
    body::Body,
    clock::Clock,
    grpc, http_calls,
    intake::{Budget, Intake},
    limits::Limits,
    requests::Requests,
    socket::Socket,
    traffic::{Answer, InProgress, Traffic},
    turn::{Broken, Driver, Strands},
};
use base::{ConnectionId, Limit};
use host::{Arrival, Host, Sending};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use nacos::CallId;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::{Notify, oneshot},
};

/// How often an HTTP/2 client is asked whether it is there, and how long it may take to say so: then it is closed.
const PING: Duration = Duration::from_secs(20);
/// What an HTTP/2 client may send of one body before we took it in.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same over all its bodies.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// What all connections of a server share.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) host: Arc<Host>,
    pub(crate) clock: Clock,
    pub(crate) limits: Arc<Limits>,
    pub(crate) bodies: Arc<Budget>,
    pub(crate) requests: Arc<Requests>,
}

/// The host's side of a connection. The host wakes it when it has something to send.
pub(crate) struct Door {
    pub(crate) host: Arc<Host>,
    pub(crate) clock: Clock,
    pub(crate) connection: ConnectionId,
    pub(crate) remote: SocketAddr,
    pub(crate) limits: Arc<Limits>,
    pub(crate) requests: Arc<Requests>,
    bodies: (Arc<Budget>, Arc<Budget>),
    last_call: AtomicU64,
    /// gRPC streams opened so far.
    pub(crate) streams: Arc<AtomicU64>,
    /// What goes on beside the requests, in the connection's task.
    pub(crate) strands: Strands,
    calls: Mutex<BTreeMap<CallId, oneshot::Sender<Sending>>>,
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
            if let Some(waiting) = self.calls().remove(&call) {
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
        self.calls().insert(call, sender);
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

    fn calls(&self) -> std::sync::MutexGuard<'_, BTreeMap<CallId, oneshot::Sender<Sending>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Waiting<'a> {
    door: &'a Door,
    call: CallId,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.door.calls().remove(&self.call);
            self.door.deliver(Arrival::Dropped(self.call));
        }
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(common: Common, socket: TcpStream, login: bool) {
    let (Ok(remote), Ok(local)) = (socket.peer_addr(), socket.local_addr()) else { return };
    // Small answers must not wait for the next one.
    let _ = socket.set_nodelay(true);
    let Common { host, clock, limits, bodies, requests } = common;
    let connection = host.open(clock.now(), remote, local, login);
    let strands = Strands::default();
    let door = Arc::new(Door {
        host: host.clone(),
        clock,
        connection,
        remote,
        limits: limits.clone(),
        requests,
        bodies: (bodies, Arc::default()),
        last_call: AtomicU64::new(0),
        streams: Arc::default(),
        strands: strands.clone(),
        calls: Mutex::default(),
        traffic: Traffic::new(),
        close: Notify::new(),
    });
    host.listen(connection, Waker::from(door.clone()));
    let builder = builder(&limits, strands.clone());
    let answering = door.clone();
    let service = service_fn(move |request| answer(answering.clone(), request));
    let (hyper_hand, hand) = Socket::new(socket);
    let serving = builder.serve_connection(TokioIo::new(hyper_hand), service);
    tokio::pin!(serving);
    let mut driver = Driver::new(hand, strands);
    let reason = tokio::select! {
        biased;
        ended = poll_fn(|task| driver.poll(serving.as_mut(), task)) => Err(match ended {
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
        serving.as_mut().graceful_shutdown();
        let rest = poll_fn(|task| driver.poll(serving.as_mut(), task));
        let _ = tokio::time::timeout(limits.close_timeout, rest).await;
    }
    let (Ok(reason) | Err(reason)) = reason;
    host.close(clock.now(), connection, reason);
}

fn builder(limits: &Limits, strands: Strands) -> auto::Builder<Strands> {
    let mut builder = auto::Builder::new(strands);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.header_bytes_max as usize)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.header_bytes_max)
        .max_pending_accept_reset_streams(limits.resets_max)
        .max_local_error_reset_streams(limits.faults_max)
        .keep_alive_interval(Some(PING))
        .keep_alive_timeout(PING)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    builder
}

async fn answer(
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
