//! The sockets of links: connected, and told when to give up.

use std::{io, net::SocketAddr, time::Duration};
use tokio::net::TcpStream;

/// How long one of several addresses of a name may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// After so much silence the other machine is asked whether it is there.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(15);
/// And again after this, as often as the limit of a stall allows.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Unanswered questions.
const KEEP_ALIVE_COUNT: u32 = 3;

/// Connects to the first address that answers.
pub(super) async fn connect(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(error)) => refused = error,
            Err(_) => refused = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(refused)
}

/// Small frames leave at once, and a machine that is gone without a word is noticed: it would otherwise take the operating
/// system a quarter of an hour, and when that machine is back, minutes until something is sent to it again.
pub(super) fn prepare(socket: &TcpStream, stall_max: Duration) {
    let told = socket.set_nodelay(true).and_then(|()| notice_silence(socket, stall_max));
    if let Err(error) = told {
        tracing::debug!(%error, "a socket keeps what the system has for all sockets");
    }
}

fn notice_silence(socket: &TcpStream, stall_max: Duration) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, KEEP_ALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(socket, KEEP_ALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(socket, KEEP_ALIVE_COUNT)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(
        socket,
        u32::try_from(stall_max.as_millis()).unwrap_or(u32::MAX),
    )?;
    #[cfg(not(target_os = "linux"))]
    let _ = stall_max;
    Ok(())
}
