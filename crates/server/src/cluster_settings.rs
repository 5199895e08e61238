//! The settings that bring a node to others: where they are, what they prove to each other, and where they find this one.

use crate::{PeerCertificates, SettingsError};
use cluster::{Address, JoinToken, Secret};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Where other nodes are reached, unless an address says otherwise.
pub(crate) const PEER_PORT: u16 = 7848;
/// A secret file that is longer is something else.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// How a node comes to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterSettings {
    /// What others are told to connect to; found out when not given.
    pub advertise: Option<Advertise>,
    /// Where others may be found.
    pub join: Vec<Address>,
    /// How many nodes found the cluster together.
    pub expect: Option<u32>,
    /// What the nodes of the cluster prove to each other.
    pub secret: Option<Secret>,
    /// An invitation to a cluster.
    pub token: Option<JoinToken>,
    /// For mutual TLS.
    pub certificates: Option<PeerCertificates>,
}

/// What others are told to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertise {
    /// A name or an address; one of IP version 6 without brackets.
    pub host: String,
    /// Where other nodes connect to; the port of the peer door when not given.
    pub port: Option<u16>,
}

/// What was given, by flags, variables or the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) advertise: Option<String>,
    pub(crate) join: Vec<String>,
    pub(crate) expect: Option<u32>,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) token: Option<String>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) authority: Option<PathBuf>,
}

impl ClusterSettings {
    /// Whether this node was told of others, or others of it: the peer door is to be open from the start.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        !self.join.is_empty()
            || self.secret.is_some()
            || self.token.is_some()
            || self.certificates.is_some()
    }
}

/// Checks what was given. `restarted`: there is a data directory, which may know the secret.
pub(crate) fn resolve(given: Given, restarted: bool) -> Result<ClusterSettings, SettingsError> {
    let certificates = certificates(&given)?;
    let secret = match &given.secret_file {
        Some(path) => Some(read_secret(path)?),
        None => certificates.as_ref().map(|_| certified_secret()),
    };
    let token = given.token.map(|text| text.parse::<JoinToken>()).transpose();
    let settings = ClusterSettings {
        advertise: given.advertise.map(|text| advertise(&text)).transpose()?,
        join: given.join.iter().map(|text| join(text)).collect::<Result<_, _>>()?,
        expect: given.expect,
        secret,
        token: token.map_err(|problem| wrong("token", problem))?,
        certificates,
    };
    check(&settings, restarted)?;
    Ok(settings)
}

fn check(settings: &ClusterSettings, restarted: bool) -> Result<(), SettingsError> {
    let trusted = settings.secret.is_some() || settings.token.is_some();
    if !settings.join.is_empty() && !trusted && !restarted {
        let problem = "how will the others know this node? give --cluster-secret-file, or --token with what \
                       `trine cluster join-token` printed";
        return Err(wrong("join", problem.to_owned()));
    }
    if settings.token.is_some() && settings.join.is_empty() {
        let problem = "a token opens the door of a node that runs: say which one with --join";
        return Err(wrong("token", problem.to_owned()));
    }
    let Some(expect) = settings.expect else { return Ok(()) };
    if expect == 1 && settings.join.is_empty() {
        return Ok(());
    }
    if settings.join.is_empty() {
        let problem = "the nodes must find each other: give --join for each of them".to_owned();
        return Err(wrong("expect", problem));
    }
    if settings.token.is_some() {
        let problem = "a token is for a cluster that exists, --expect for one that does not yet: \
                       give one of them";
        return Err(wrong("expect", problem.to_owned()));
    }
    if settings.secret.is_none() && !restarted {
        let problem = "the nodes must trust each other before there is a cluster: give all of them \
                       the same --cluster-secret-file";
        return Err(wrong("expect", problem.to_owned()));
    }
    let addresses = settings.join.iter().collect::<BTreeSet<_>>().len();
    let expected = expect as usize;
    if expected * 2 <= addresses {
        let problem = format!(
            "{expect} of {addresses} addresses in --join could form two clusters: it must be more \
             than half of them"
        );
        return Err(wrong("expect", problem));
    }
    // Its own address may be missing.
    if expected > addresses + 1 {
        let problem = format!(
            "{expect} nodes can never be there with {addresses} addresses in --join: give one for each"
        );
        return Err(wrong("expect", problem));
    }
    Ok(())
}

/// What nodes prove to each other that know each other by certificates. It is no secret: `peer` takes it only where TLS
/// has checked certificates of both sides.
pub(crate) fn certified_secret() -> Secret {
    Secret::new(b"certificates of both sides, checked by TLS").expect("it is long enough")
}

fn certificates(given: &Given) -> Result<Option<PeerCertificates>, SettingsError> {
    match (&given.certificate, &given.key, &given.authority) {
        (None, None, None) => Ok(None),
        (Some(certificate), Some(key), Some(authority)) => Ok(Some(PeerCertificates {
            certificate: certificate.clone(),
            key: key.clone(),
            authority: authority.clone(),
        })),
        _ => {
            let problem = "--peer-tls-cert, --peer-tls-key and --peer-tls-ca belong together";
            Err(wrong("peer-tls-cert", problem.to_owned()))
        }
    }
}

fn read_secret(path: &Path) -> Result<Secret, SettingsError> {
    let failed =
        |problem: String| wrong("cluster-secret-file", format!("{}: {problem}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > SECRET_FILE_BYTES_MAX {
        return Err(failed(format!("it has {size} bytes: is it the right file?")));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    // Editors and `echo` end a file with a newline; the next node's file may have none.
    let trimmed = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let trimmed = trimmed.strip_suffix(b"\r").unwrap_or(trimmed);
    Secret::new(trimmed).map_err(failed)
}

fn join(text: &str) -> Result<Address, SettingsError> {
    let (host, port) = host_and_port(text).map_err(|problem| wrong("join", problem))?;
    let address = written(&host, port.unwrap_or(PEER_PORT));
    Address::new(&address).map_err(|error| wrong("join", format!("`{text}`: {error}")))
}

fn advertise(text: &str) -> Result<Advertise, SettingsError> {
    let wrong = |problem| wrong("advertise", problem);
    let (host, port) = host_and_port(text).map_err(wrong)?;
    let unspecified = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_unspecified());
    if unspecified {
        let problem = format!("`{text}` is no address that others can connect to");
        return Err(wrong(problem));
    }
    // Said on every link, so it must be an address of the protocol whatever the port will be.
    Address::new(&written(&host, port.unwrap_or(u16::MAX)))
        .map_err(|error| wrong(format!("`{text}`: {error}")))?;
    Ok(Advertise { host, port })
}

/// `HOST`, `HOST:PORT`, `::1` or `[::1]:PORT`.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    let problem = || format!("`{text}` is no address: write HOST or HOST:PORT");
    if let Ok(address) = text.parse::<SocketAddr>() {
        let port = Some(address.port()).filter(|port| *port != 0).ok_or_else(problem)?;
        return Ok((address.ip().to_string(), Some(port)));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((bare.to_owned(), None));
    }
    let (host, port) = match text.split_once(':') {
        None => (text, None),
        Some((host, port)) => (host, Some(port)),
    };
    let port: Option<u16> = port.map(str::parse).transpose().map_err(|_| problem())?;
    let plain = host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if host.is_empty() || !plain || port == Some(0) {
        return Err(problem());
    }
    Ok((host.to_owned(), port))
}

/// A host and a port as an address is written.
pub(crate) fn written(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn wrong(name: &'static str, problem: String) -> SettingsError {
    SettingsError::Value { name, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of more than 32 bytes, all of it printable";

    fn given(join: &[&str], secret: Option<&Path>) -> Given {
        Given {
            join: join.iter().map(|text| (*text).to_owned()).collect(),
            secret_file: secret.map(Path::to_owned),
            ..Given::default()
        }
    }

    fn secret_file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        file
    }

    #[test]
    fn addresses_are_completed_and_wrong_ones_are_named() {
        for (text, address) in [
            ("a", "a:7848"),
            ("a.b-c:1", "a.b-c:1"),
            ("10.0.0.1", "10.0.0.1:7848"),
            ("::1", "[::1]:7848"),
            ("[::1]", "[::1]:7848"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(join(text).expect(text).as_str(), address);
        }
        for text in ["", ":1", "a:", "a:b", "a:0", "a:70000", "a b", "http://a:1", "[::1]:0", "a/b"]
        {
            let error = join(text).expect_err(text).to_string();
            assert!(error.contains("write HOST or HOST:PORT"), "{error}");
        }
        assert!(advertise("0.0.0.0:7848").is_err() && advertise("::").is_err());
        let named = advertise("node-1.trine:7000").expect("valid");
        assert_eq!(named, Advertise { host: "node-1.trine".to_owned(), port: Some(7000) });
        assert!(advertise(&"a".repeat(200)).is_err());
    }

    #[test]
    fn a_secret_is_read_without_the_newline_and_a_short_one_is_refused() {
        let bare = read_secret(secret_file(SECRET).path()).expect("valid");
        for end in ["\n", "\r\n"] {
            let file = secret_file(&format!("{SECRET}{end}"));
            assert_eq!(read_secret(file.path()).expect("valid"), bare);
        }
        let error = read_secret(secret_file("short\n").path()).expect_err("short").to_string();
        assert!(error.contains("this one has 5") && !error.contains("short"), "{error}");
        assert!(
            read_secret(Path::new("/nowhere")).expect_err("none").to_string().contains("/nowhere")
        );
        assert!(!format!("{bare:?}").contains("printable"));
    }

    #[test]
    fn what_does_not_fit_together_says_what_would() {
        let file = secret_file(SECRET);
        let secret = Some(file.path());
        let five = ["a", "b", "c", "d", "e"];
        let token = "trine-0000000000000abc-".to_owned() + &"07".repeat(32);
        for (given, said) in [
            (given(&["a"], None), "--join: how will the others know"),
            (Given { expect: Some(3), ..given(&[], secret) }, "--expect: the nodes must find"),
            (Given { expect: Some(2), ..given(&five, secret) }, "2 of 5 addresses"),
            (Given { expect: Some(7), ..given(&five, secret) }, "7 nodes can never"),
            (Given { expect: Some(0), ..given(&["a"], secret) }, "--expect: 0 of 1"),
            (Given { expect: Some(2), ..given(&["a", "a"], secret) }, ""),
            (Given { token: Some(token.clone()), ..given(&[], None) }, "--token: a token opens"),
            (Given { token: Some("x".to_owned()), ..given(&["a"], None) }, "--token: this is no"),
            (
                Given { token: Some(token.clone()), expect: Some(1), ..given(&["a"], None) },
                "--expect: a token is for",
            ),
            (Given { token: Some(token.clone()), ..given(&["a"], None) }, ""),
            (Given { expect: Some(3), ..given(&["a", "b", "c"], secret) }, ""),
            (Given { expect: Some(3), ..given(&["a", "b"], secret) }, ""),
            (Given { expect: Some(1), ..given(&[], None) }, ""),
            (Given { key: Some("k".into()), ..given(&[], None) }, "belong together"),
        ] {
            let shown = format!("{given:?}");
            match resolve(given, false) {
                Ok(_) => assert_eq!(said, "", "{shown}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(!said.is_empty() && error.contains(said), "{shown}: {error}");
                }
            }
        }
        // The data directory may know the secret.
        resolve(given(&["a"], None), true).expect("taken");
        resolve(Given { expect: Some(3), ..given(&["a", "b", "c"], None) }, true).expect("taken");
    }

    #[test]
    fn the_door_opens_for_whoever_was_told_of_others() {
        let file = secret_file(SECRET);
        let asked = |given| resolve(given, true).expect("valid").is_asked_for();
        assert!(!asked(given(&[], None)));
        assert!(asked(given(&[], Some(file.path()))));
        assert!(asked(given(&["a"], None)));
    }
}
