//! The socket from which clients of 1.x are pushed to, and on which they confirm.

use crate::{clock::Clock, running::Phase, woken::Woken};
use base::Duration;
use bytes::Bytes;
use host::{Datagram, Host};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::{net::UdpSocket, sync::watch};

/// A confirmation is some 70 bytes long; what is longer is cut off and then no confirmation.
const RECEIVED_BYTES_MAX: usize = 2_048;
/// How long to wait after the socket failed to receive: a push to a closed port is told as such an error.
const RECEIVE_BACKOFF: Duration = Duration::from_millis(1);

pub(crate) struct Udp {
    socket: UdpSocket,
}

impl Udp {
    /// Takes any free port at the address of the HTTP door: clients learn it from the datagrams.
    ///
    /// # Errors
    /// When the address is not ours.
    pub(crate) async fn bind(ip: IpAddr) -> std::io::Result<Self> {
        Ok(Self { socket: UdpSocket::bind(SocketAddr::new(ip, 0)).await? })
    }

    /// Carries datagrams both ways until told to stop.
    pub(crate) async fn run(
        self,
        host: Arc<Host>,
        clock: Clock,
        mut phase: watch::Receiver<Phase>,
    ) {
        let (waiting, waker) = Woken::pair();
        host.udp_signal.listen(waker);
        let mut received = vec![0; RECEIVED_BYTES_MAX];
        loop {
            tokio::select! {
                biased;
                () = Phase::Stopped.reached(&mut phase) => return,
                () = waiting.notified() => {
                    while let Some(datagram) = host.take_datagram() {
                        self.send(datagram).await;
                    }
                }
                arrived = self.socket.recv_from(&mut received) => match arrived {
                    Ok((len, from)) => {
                        let bytes = Bytes::copy_from_slice(&received[..len]);
                        host.datagram(clock.now(), from, bytes);
                    }
                    Err(_) => tokio::time::sleep(RECEIVE_BACKOFF).await,
                },
            }
        }
    }

    async fn send(&self, Datagram { to, bytes }: Datagram) {
        let v6 = self.socket.local_addr().is_ok_and(|local| local.is_ipv6());
        let to = match to.ip() {
            IpAddr::V4(ip) if v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            IpAddr::V4(_) | IpAddr::V6(_) => to,
        };
        // What is not sent is a lost datagram: sent again once, and made good by the client's next poll.
        let _ = self.socket.send_to(&bytes, to).await;
    }
}
