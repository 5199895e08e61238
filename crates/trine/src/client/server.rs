//! Where a server is.

use std::{fmt, str::FromStr};

/// The port of the API when none is given.
const PORT: u16 = 8848;

/// A server's address, e.g. `http://127.0.0.1:8848`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Server {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    host: String,
    port: u16,
}

impl Server {
    /// For connecting.
    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// For the header Host.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err("https is not spoken yet: use http, or a tunnel".to_owned());
        }
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let wrong = || "it must be http://HOST:PORT, e.g. http://127.0.0.1:8848".to_owned();
        let authority: http::uri::Authority = rest.parse().map_err(|_| wrong())?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // `Authority::port` is silent about a port that is no number.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => PORT,
            Some(port) => port[1..].parse().map_err(|_| wrong())?,
            None => return Err(wrong()),
        };
        Ok(Self { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_short() {
        for (given, meant) in [
            ("http://127.0.0.1:8848", "http://127.0.0.1:8848"),
            ("127.0.0.1", "http://127.0.0.1:8848"),
            ("host:80/", "http://host:80"),
            ("http://[::1]:9", "http://[::1]:9"),
        ] {
            assert_eq!(given.parse::<Server>().map(|server| server.to_string()), Ok(meant.into()));
        }
        for wrong in ["", "https://h", "http://h/path", "http://u@h", "h:x", "h:99999", "ftp://h"] {
            assert!(wrong.parse::<Server>().is_err(), "{wrong}");
        }
    }
}
