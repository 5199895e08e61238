//! Driving a connection: everything that happens on it happens in its one task.
//!
//! hyper wants to spawn a task for each HTTP/2 stream. Most of them have their answer as soon as they look, and a task of
//! its own would cost them an allocation, a queue, another core that wakes up for it, and a lock that both cores want. So
//! streams live here as strands beside the connection, and a turn goes on until nobody has anything more to do: then what
//! was written is sent, once.

use crate::{connection::Door, protocol::Protocol, socket::Socket};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
};
use tokio::net::TcpStream;

/// Rounds of one turn; after them other connections have theirs first.
const ROUNDS_MAX: u32 = 8;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where strands begin: what hyper spawns, and what we do.
#[derive(Clone, Default)]
pub(crate) struct Strands(Arc<Mutex<Vec<Work>>>);

impl Strands {
    /// Begins a strand. It ends with its connection at the latest.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(future));
    }

    fn begun(&self) -> Vec<Work> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Strands {
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}

/// A strand that waits for something.
struct Strand {
    future: Work,
    due: Arc<Due>,
}

/// Wakes one strand, and its connection.
struct Due {
    is_due: AtomicBool,
    turn: Arc<Turn>,
}

impl Wake for Due {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_due.store(true, Ordering::Release);
        self.turn.wake_by_ref();
    }
}

/// Nobody is at work.
const RESTING: u8 = 0;
/// The connection has its turn.
const AT_WORK: u8 = 1;
/// The connection has its turn, and there is more to do.
const MORE: u8 = 2;

/// Wakes the connection's task. What a connection does in its turn wakes itself: that is noted, and needs no scheduler.
struct Turn {
    state: AtomicU8,
    task: Mutex<Waker>,
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let at_work =
            self.state.compare_exchange(AT_WORK, MORE, Ordering::AcqRel, Ordering::Acquire);
        if at_work == Err(RESTING) {
            self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
        }
    }
}

impl Turn {
    /// The task that has the turn from now on.
    fn of(&self, task: &Waker) {
        let mut known = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone_from(task);
    }

    /// Ends the turn, unless there is more to do.
    fn rest(&self) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        self.state.compare_exchange(AT_WORK, RESTING, success, failure).is_ok()
    }
}

/// A connection with its strands.
pub(crate) struct Driver {
    socket: Socket,
    door: Arc<Door>,
    /// None until the client's first bytes came.
    protocol: Option<Protocol>,
    waiting: Vec<Strand>,
    turn: Arc<Turn>,
    waker: Waker,
    /// It is to end, and nothing may begin.
    over: bool,
}

impl Driver {
    pub(crate) fn new(socket: TcpStream, door: Arc<Door>) -> Self {
        let turn = Turn { state: AtomicU8::new(RESTING), task: Mutex::new(Waker::noop().clone()) };
        let turn = Arc::new(turn);
        let waker = Waker::from(turn.clone());
        let (socket, waiting) = (Socket::new(socket), Vec::new());
        Self { socket, door, protocol: None, waiting, turn, waker, over: false }
    }

    /// Lets what was begun end, and nothing else begin.
    pub(crate) fn wind_up(&mut self) {
        self.over = true;
        if let Some(protocol) = &mut self.protocol {
            protocol.wind_up();
        }
    }

    /// One turn: everything that can be done now. Ready when the connection ended.
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.turn.of(task.waker());
        let waker = self.waker.clone();
        let context = &mut Context::from_waker(&waker);
        for round in 1.. {
            self.turn.state.store(AT_WORK, Ordering::Release);
            self.poll_waiting();
            if let Poll::Ready(ended) = self.poll_protocol(context) {
                self.turn.state.store(RESTING, Ordering::Release);
                // A connection sends its last words before it shuts the socket; this is for one that broke off.
                let _ = self.socket.poll_send(context);
                return Poll::Ready(ended);
            }
            self.poll_begun(context);
            if self.turn.rest() {
                break;
            }
            if round == ROUNDS_MAX {
                self.turn.state.store(RESTING, Ordering::Release);
                task.waker().wake_by_ref();
                break;
            }
        }
        match self.socket.poll_send(context) {
            Poll::Ready(Err(_)) => Poll::Ready(Err(Broken)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_protocol(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.protocol.is_none() {
            if self.over {
                return Poll::Ready(Ok(()));
            }
            let version = ready!(self.socket.poll_version(context)).map_err(|_| Broken)?;
            let protocol = Protocol::begin(version, self.socket.clone(), self.door.clone());
            self.protocol = Some(protocol);
        }
        let protocol = self.protocol.as_mut().expect("begun above");
        protocol.poll(context).map_err(|_| Broken)
    }

    fn poll_waiting(&mut self) {
        self.waiting.retain_mut(|strand| {
            if !strand.due.is_due.swap(false, Ordering::AcqRel) {
                return true;
            }
            let waker = Waker::from(strand.due.clone());
            strand.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        });
    }

    /// Most have nothing to wait for: only those that have get a waker of their own.
    fn poll_begun(&mut self, context: &mut Context<'_>) {
        for mut future in self.door.strands.begun() {
            if future.as_mut().poll(context).is_pending() {
                let due = Arc::new(Due { is_due: AtomicBool::new(true), turn: self.turn.clone() });
                due.turn.wake_by_ref();
                self.waiting.push(Strand { future, due });
            }
        }
    }
}

/// The client is gone, or does not speak HTTP.
pub(crate) struct Broken;

impl Drop for Driver {
    /// A strand holds what holds the list of those that begin: what has begun and will not go on must not stay in it.
    fn drop(&mut self) {
        drop(self.door.strands.begun());
    }
}
