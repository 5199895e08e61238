//! Who may be pushed to by UDP: a client that asked for it over TCP, at its own address.

use crate::form::Form;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The clients that read pushes, each from this version on.
const READERS: [(&str, [u32; 3]); 5] = [
    ("Nacos-Java-Client", [0, 1, 0]),
    ("Nacos-Go-Client", [0, 1, 0]),
    ("Nacos-C-Client", [1, 0, 12]),
    ("Nacos-CSharp-Client", [0, 9, 0]),
    ("Nacos-DNS", [0, 4, 3]),
];

/// What a client says of where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receiver {
    port: u16,
    /// `clientIP`, if it is an address: some SDKs send `undefined`.
    claimed: Option<IpAddr>,
    pub(crate) agent: Arc<str>,
    pub(crate) application: Arc<str>,
}

impl Receiver {
    /// `udpPort` and `clientIP` of a list request; `None` when the client does not listen or would not understand.
    pub(crate) fn of_form(form: &Form) -> Option<Self> {
        let port = form.some("udpPort")?.parse().ok().filter(|port| *port > 0)?;
        let agent = form.header("user-agent").or_else(|| form.header("client-version"))?;
        if !reads_pushes(agent) {
            return None;
        }
        Some(Self {
            port,
            claimed: form.some("clientIP").and_then(|text| text.parse().ok()),
            agent: agent.into(),
            application: form.some("app").unwrap_or_default().into(),
        })
    }

    /// Where to push to: only ever the other end of the request's connection, so nobody can have datagrams sent to
    /// somebody else. A client that names another address sits behind a proxy, where a datagram would go astray: it
    /// polls. From the same machine it is the same machine, whatever address it names.
    pub(crate) fn address(&self, remote: SocketAddr) -> Option<SocketAddr> {
        let peer = remote.ip().to_canonical();
        let own = self.claimed.is_none_or(|claimed| claimed.to_canonical() == peer);
        (own || peer.is_loopback()).then(|| SocketAddr::new(peer, self.port))
    }
}

/// Whether a user agent, `Name:v1.2.3`, is one of the readers.
fn reads_pushes(agent: &str) -> bool {
    let Some((name, version)) = agent.split_once(':') else { return false };
    let version = version.trim_start_matches(['v', 'V']);
    let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u32>().ok());
    let version = [(); 3].map(|()| numbers.next().flatten().unwrap_or(0));
    READERS.iter().any(|(reader, since)| *reader == name && version >= *since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_that_read_pushes() {
        for (agent, reads) in [
            ("Nacos-Java-Client:v1.4.8", true),
            ("Nacos-Java-Client:v1.0.0", true),
            ("Nacos-Java-Client:v0.0.9", false),
            ("Nacos-Go-Client:v1.0.1", true),
            ("Nacos-C-Client:v1.0.11", false),
            ("Nacos-C-Client:v1.0.12", true),
            ("Nacos-DNS:v0.4.3-rc1", true),
            ("Nacos-Python-Client:v1.0.0", false),
            ("Nacos-Java-Client", false),
            ("curl/8.0", false),
            ("", false),
        ] {
            assert_eq!(reads_pushes(agent), reads, "{agent}");
        }
    }

    #[test]
    fn nobody_is_pushed_to_but_the_other_end() {
        for (claimed, remote, to) in [
            (None, "10.0.0.9:5000", Some("10.0.0.9:700")),
            (Some("10.0.0.9"), "10.0.0.9:5000", Some("10.0.0.9:700")),
            (Some("10.0.0.9"), "[::ffff:10.0.0.9]:5000", Some("10.0.0.9:700")),
            (Some("8.8.8.8"), "10.0.0.9:5000", None),
            (Some("8.8.8.8"), "127.0.0.1:5000", Some("127.0.0.1:700")),
            (Some("8.8.8.8"), "[::1]:5000", Some("[::1]:700")),
        ] {
            let claimed = claimed.map(|text| text.parse().unwrap());
            let receiver =
                Receiver { port: 700, claimed, agent: "".into(), application: "".into() };
            let to = to.map(|text| text.parse().unwrap());
            assert_eq!(receiver.address(remote.parse().unwrap()), to, "{claimed:?} {remote}");
        }
    }
}
