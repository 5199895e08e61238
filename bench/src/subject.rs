//! The server under load: one that runs already, or one that is started for a work and stopped after it.

use crate::{grpc::Grpc, problem::Problem};
use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// How far the gRPC port is above the API's, as SDKs compute it.
pub(crate) const GRPC_PORT_OFFSET: u16 = 1000;
const PORT_TRIES_MAX: u32 = 100;
/// How long a server may take until it serves.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
const READY_RETRY: Duration = Duration::from_millis(20);
const OPEN_RETRY: Duration = Duration::from_micros(200);

/// How a server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Trine,
    RNacos,
}

/// Where servers come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Running { api: SocketAddr, pid: u32 },
    Binary { name: &'static str, kind: Kind, path: PathBuf },
}

impl Source {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Running { .. } => "running",
            Self::Binary { name, .. } => name,
        }
    }

    /// A server that serves.
    pub(crate) async fn subject(&self) -> Result<Subject, Problem> {
        match self {
            Self::Running { api, pid } => {
                let subject = Subject::at(*api, *pid, None);
                subject.wait_ready().await?;
                Ok(subject)
            }
            Self::Binary { name: _, kind, path } => {
                let data = data_folder()?;
                let mut subject = start(*kind, path, data)?;
                subject.wait_open().await?;
                subject.wait_ready().await?;
                Ok(subject)
            }
        }
    }
}

/// A server under load.
pub(crate) struct Subject {
    pub(crate) api: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) pid: u32,
    own: Option<Own>,
}

/// A process of ours, ended when this is dropped, and its files.
struct Own {
    child: Child,
    _data: tempfile::TempDir,
}

impl Drop for Own {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn data_folder() -> Result<tempfile::TempDir, Problem> {
    tempfile::tempdir().map_err(|source| Problem::World { what: "the data folder", source })
}

/// Starts a server on free ports. It need not be open yet.
pub(crate) fn start(kind: Kind, path: &Path, data: tempfile::TempDir) -> Result<Subject, Problem> {
    launch(kind, path, data, free_pair()?, &[])
}

/// Starts a server at this address; `settings` are the arguments, or for r-nacos the variables, that make it a member of
/// a cluster.
pub(crate) fn launch(
    kind: Kind,
    path: &Path,
    data: tempfile::TempDir,
    api: SocketAddr,
    settings: &[(&str, String)],
) -> Result<Subject, Problem> {
    let words = File::create(data.path().join("bench-stderr.txt"))
        .map_err(|source| Problem::World { what: "the trace", source })?;
    let mut command = Command::new(path);
    match kind {
        Kind::Trine => {
            command.args(["server", "--auth", "off", "--listen-api"]).arg(api.to_string());
            command.arg("--data").arg(data.path().join("data"));
            for (flag, value) in settings {
                command.arg(flag).arg(value);
            }
        }
        Kind::RNacos => {
            command.env("RNACOS_HTTP_PORT", api.port().to_string());
            command.env("RNACOS_GRPC_PORT", (api.port() + GRPC_PORT_OFFSET).to_string());
            command.env("RNACOS_HTTP_CONSOLE_PORT", "0");
            command.env("RNACOS_DATA_DIR", data.path().join("data"));
            command.env("RNACOS_CONFIG_DB_DIR", data.path().join("data"));
            command.envs(settings.iter().map(|(name, value)| (name, value)));
        }
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(words)
        .spawn()
        .map_err(|source| Problem::Start { path: path.to_owned(), source })?;
    let pid = child.id();
    Ok(Subject::at(api, pid, Some(Own { child, _data: data })))
}

impl Subject {
    fn at(api: SocketAddr, pid: u32, own: Option<Own>) -> Self {
        let grpc = SocketAddr::new(api.ip(), api.port().saturating_add(GRPC_PORT_OFFSET));
        Self { api, grpc, pid, own }
    }

    /// Ends a process of ours as a power cut does: it can do nothing any more.
    pub(crate) fn kill(&mut self) {
        self.own = None;
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.own.is_some()
    }

    /// Waits until both ports take connections.
    pub(crate) async fn wait_open(&mut self) -> Result<(), Problem> {
        let until = Instant::now() + READY_TIMEOUT;
        for address in [self.api, self.grpc] {
            while TcpStream::connect(address).await.is_err() {
                if let Some(own) = &mut self.own
                    && let Ok(Some(status)) = own.child.try_wait()
                {
                    return Err(Problem::Ended(status));
                }
                if Instant::now() > until {
                    return Err(Problem::Silent { address, waited: READY_TIMEOUT });
                }
                tokio::time::sleep(OPEN_RETRY).await;
            }
        }
        Ok(())
    }

    /// Waits until a client is served.
    pub(crate) async fn wait_ready(&self) -> Result<(), Problem> {
        let until = Instant::now() + READY_TIMEOUT;
        while Grpc::open(self.grpc, None).await.is_err() {
            if Instant::now() > until {
                return Err(Problem::Silent { address: self.grpc, waited: READY_TIMEOUT });
            }
            tokio::time::sleep(READY_RETRY).await;
        }
        Ok(())
    }
}

/// An address whose port is free, and the one for gRPC too.
pub(crate) fn free_pair() -> Result<SocketAddr, Problem> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    for _ in 0..PORT_TRIES_MAX {
        let pair = bind(0).and_then(|api| {
            let address = api.local_addr()?;
            let port = address.port().checked_add(GRPC_PORT_OFFSET);
            bind(port.ok_or(std::io::ErrorKind::AddrNotAvailable)?)?;
            Ok(address)
        });
        if let Ok(address) = pair {
            return Ok(address);
        }
    }
    Err(Problem::NoPorts(PORT_TRIES_MAX))
}
