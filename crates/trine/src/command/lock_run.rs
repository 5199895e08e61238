//! `trine lock run KEY -- COMMAND`: a command that runs while a lock is held, and no longer.
//!
//! The lease is counted from before each request: it lives at least that long. It is renewed at a third of its ttl. When
//! that fails until a sixth of it is left, or the server says that the lock is somebody else's, the command is asked to
//! end (SIGTERM), and killed when the lease is over. Only the command itself is signalled: what it started is its own.
//! Between the last check and a write of the command any time may pass; that is what the fencing token is for.

use super::lock::{Wanted, millis};
use crate::{
    client::{Call, Client},
    output,
    problem::{Exit, Failure},
};
use console::shape::{Grant, Renewal, Written};
use http::Method;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitCode, ExitStatus},
    sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout_at},
};

/// One request waits no longer for the lock; whoever wants to wait longer asks again.
const WAIT_MAX: Duration = Duration::from_secs(240);
/// After which time a server that could not be reached is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a command has to end when its lock is somebody else's already.
const GRACE: Duration = Duration::from_secs(5);

/// A lock that is held.
#[derive(Debug)]
struct Lease {
    key: String,
    token: u64,
    ttl: Duration,
    /// It is held at least until then.
    until: Instant,
    renew_at: Instant,
}

/// How the command came to its end.
enum Ended {
    ByItself,
    /// It was stopped, since the lock was lost for this reason.
    Stopped(String),
}

/// Acquires a lock, with as many requests as the wait takes; gives when the last one was sent, too.
pub(crate) async fn acquire(
    client: &Client,
    wanted: &Wanted,
    owner: &Arc<str>,
) -> Result<(Grant, Instant), Failure> {
    let until = Instant::now() + wanted.wait.unwrap_or_default();
    loop {
        let asked = Instant::now();
        let wait = until.saturating_duration_since(asked).min(WAIT_MAX);
        let failure = match client.patient(wait).call(wanted.call(owner, wait)).await {
            Ok(grant) => return Ok((grant, asked)),
            Err(failure) => failure,
        };
        let held = failure.code() == "held";
        let again = held || matches!(failure.exit, Exit::Unavailable | Exit::TimedOut);
        if !again || Instant::now() + RETRY >= until {
            return Err(failure);
        }
        if !held {
            sleep_until(Instant::now() + RETRY).await;
        }
    }
}

pub(crate) async fn run(
    client: &Client,
    wanted: &Wanted,
    command: &[OsString],
) -> Result<ExitCode, Failure> {
    let owner = wanted.owner()?;
    let (grant, asked) = acquire(client, wanted, &owner).await?;
    let mut lease = Lease::new(wanted, &grant, asked);
    // It was granted after some waiting: how long ago is not known, so it is renewed before anything is begun.
    if asked.elapsed() > lease.ttl / 3
        && let Kept::Lost(why) = lease.renew(client).await
    {
        return Err(lost(&lease, &why));
    }
    let child = match spawn(command, &lease) {
        Ok(child) => child,
        Err(failure) => {
            lease.release(client).await;
            return Err(failure);
        }
    };
    let (status, ended) = hold(client, &mut lease, child).await?;
    match ended {
        Ended::ByItself => {
            lease.release(client).await;
            Ok(code_of(status))
        }
        Ended::Stopped(why) => Err(lost(&lease, &why)),
    }
}

fn spawn(command: &[OsString], lease: &Lease) -> Result<Child, Failure> {
    let (program, args) = command.split_first().expect("the command line asks for one");
    Command::new(program)
        .args(args)
        .env("TRINE_FENCING_TOKEN", lease.token.to_string())
        .env("TRINE_LOCK_KEY", &lease.key)
        .spawn()
        .map_err(|error| {
            Failure::usage(
                "the command could not be started",
                format!("{}: {error}", program.display()),
                "look at its name and its rights",
            )
        })
}

/// Holds the lock while the command runs.
async fn hold(
    client: &Client,
    lease: &mut Lease,
    mut child: Child,
) -> Result<(ExitStatus, Ended), Failure> {
    let pid = Pid::from_child(&child);
    let mut over = when_over(pid);
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| broken(&error))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| broken(&error))?;
    let ended = loop {
        tokio::select! {
            biased;
            _ = &mut over => break Ended::ByItself,
            _ = terminate.recv() => send(pid, Signal::TERM),
            // A terminal has told the command already.
            _ = interrupt.recv() => if !io::stdin().is_terminal() { send(pid, Signal::INT) },
            kept = lease.keep(client) => match kept {
                Kept::Renewed => {}
                Kept::Unheard => {}
                Kept::Lost(why) => {
                    output::say(&format!("the lock {} is lost: {why}; the command is stopped", lease.key));
                    send(pid, Signal::TERM);
                    if timeout_at(lease.until, &mut over).await.is_err() {
                        send(pid, Signal::KILL);
                        let _ = (&mut over).await;
                    }
                    break Ended::Stopped(why);
                }
            },
        }
    };
    // It is over, so this does not wait.
    let status = child.wait().map_err(|error| broken(&error))?;
    Ok((status, ended))
}

/// Ends when the process is over. It is not taken off the process table, so its number stays its own until then.
fn when_over(pid: Pid) -> JoinHandle<()> {
    tokio::task::spawn_blocking(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
    })
}

fn send(pid: Pid, signal: Signal) {
    // Whoever is over already takes no signal, and needs none.
    let _ = kill_process(pid, signal);
}

/// As a shell says it.
fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// What came of a renewal.
enum Kept {
    Renewed,
    /// The server was not reached; there is time left.
    Unheard,
    Lost(String),
}

impl Lease {
    fn new(wanted: &Wanted, grant: &Grant, asked: Instant) -> Self {
        let ttl = Duration::from_millis(grant.ttl_ms);
        let (key, token) = (wanted.key.clone(), grant.token);
        Self { key, token, ttl, until: asked + ttl, renew_at: asked + ttl / 3 }
    }

    /// Waits until it is time, and renews. May be dropped at any time and begun again.
    async fn keep(&mut self, client: &Client) -> Kept {
        sleep_until(self.renew_at).await;
        self.renew(client).await
    }

    async fn renew(&mut self, client: &Client) -> Kept {
        let asked = Instant::now();
        let renewal = Renewal { token: self.token, ttl_ms: Some(millis(self.ttl)) };
        let call = Call::new(Method::POST, &["v1", "locks", &self.key]).json(&renewal);
        let last = (self.until - self.ttl / 6).max(asked);
        let failure = match timeout_at(last, client.call::<Grant>(call)).await {
            Ok(Ok(_)) => {
                self.until = asked + self.ttl;
                self.renew_at = asked + self.ttl / 3;
                return Kept::Renewed;
            }
            Ok(Err(failure)) => failure,
            Err(_) => return Kept::Lost("the server did not answer in time".into()),
        };
        if failure.code() == "not-held" {
            self.until = Instant::now() + GRACE;
            return Kept::Lost(failure.why().to_owned());
        }
        self.renew_at = Instant::now() + self.ttl / 10;
        if self.renew_at >= last { Kept::Lost(failure.why().to_owned()) } else { Kept::Unheard }
    }

    /// Nobody has to wait for its end. If that fails, it ends by itself.
    async fn release(&self, client: &Client) {
        let call =
            Call::new(Method::DELETE, &["v1", "locks", &self.key]).with("token", Some(self.token));
        if let Err(failure) = client.call::<Written>(call).await {
            output::say(&format!("the lock {} was not released: {}", self.key, failure.why()));
        }
    }
}

fn lost(lease: &Lease, why: &str) -> Failure {
    Failure::new(
        Exit::Conflict,
        "lock-lost",
        format!("the lock {} was lost while the command ran", lease.key),
        why,
        "find out what the command had done by then; run it again, with a longer --ttl if the server was slow",
    )
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        "process",
        "the command cannot be watched",
        error.to_string(),
        "look at the limits of this shell (`ulimit -a`)",
    )
}
