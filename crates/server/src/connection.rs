//! One connection: hyper on one side, the host on the other.

use crate::{body::Body, clock::Clock, grpc, http_calls};
use base::ConnectionId;
use host::{Arrival, Host, Sending};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use nacos::CallId;
use std::{
    collections::BTreeMap,
    convert::Infallible,
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

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long what was sent before may take after we decided to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// HTTP/2 calls at once on one connection.
const STREAMS_MAX: u32 = 256;
/// All header lines of a request together.
const HEADER_BYTES_MAX: u32 = 64 * 1024;

/// The host's side of a connection. The host wakes it when it has something to send.
pub(crate) struct Door {
    pub(crate) host: Arc<Host>,
    pub(crate) clock: Clock,
    pub(crate) connection: ConnectionId,
    last_call: AtomicU64,
    calls: Mutex<BTreeMap<CallId, oneshot::Sender<Sending>>>,
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
pub(crate) async fn serve(host: Arc<Host>, clock: Clock, socket: TcpStream, login: bool) {
    let (Ok(remote), Ok(local)) = (socket.peer_addr(), socket.local_addr()) else { return };
    // Small answers must not wait for the next one.
    let _ = socket.set_nodelay(true);
    let connection = host.open(clock.now(), remote, local, login);
    let door = Arc::new(Door {
        host: host.clone(),
        clock,
        connection,
        last_call: AtomicU64::new(0),
        calls: Mutex::default(),
        close: Notify::new(),
    });
    host.listen(connection, Waker::from(door.clone()));
    let builder = builder();
    let answering = door.clone();
    let service = service_fn(move |request| answer(answering.clone(), request));
    let serving = builder.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(serving);
    let reason = tokio::select! {
        biased;
        ended = &mut serving => match ended {
            Ok(()) => "closed by the client",
            Err(_) => "broken off",
        },
        () = door.close.notified() => {
            serving.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, serving).await;
            "closed by this node"
        }
    };
    host.close(clock.now(), connection, reason);
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX as usize)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(20))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    builder
}

async fn answer(door: Arc<Door>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    Ok(if grpc::is_grpc(&request) {
        grpc::serve(door, request).await
    } else {
        http_calls::serve(door, request).await
    })
}
