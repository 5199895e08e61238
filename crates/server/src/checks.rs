//! Checks of persistent instances: a connection, or a request.

use crate::{clock::Clock, running::Phase, woken::Woken};
use bytes::Bytes;
use host::{Check, Checker, Host};
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::{net::TcpStream, sync::watch, task::JoinSet};

/// Does what the host wants to be checked until told to stop. The registry bounds how many are under way.
pub(crate) async fn run(host: Arc<Host>, clock: Clock, mut phase: watch::Receiver<Phase>) {
    let (waiting, waker) = Woken::pair();
    host.check_signal.listen(waker);
    let mut running = JoinSet::new();
    loop {
        for check in host.take_checks() {
            let host = host.clone();
            running.spawn(async move {
                let healthy = is_healthy(&check).await;
                host.checked(clock.now(), check.id, healthy);
            });
        }
        tokio::select! {
            biased;
            () = Phase::Stopped.reached(&mut phase) => return,
            () = waiting.notified() => {}
            Some(_) = running.join_next() => {}
        }
    }
}

async fn is_healthy(check: &Check) -> bool {
    let answer = async {
        let stream = TcpStream::connect((&*check.ip, check.port)).await.ok()?;
        match &check.checker {
            Checker::None => None,
            Checker::Tcp => Some(()),
            Checker::Http { path, headers, expected_code } => {
                let status = ask(stream, request(check, path, headers)?).await?;
                (status == *expected_code).then_some(())
            }
        }
    };
    tokio::time::timeout(check.timeout, answer).await.is_ok_and(|answer| answer.is_some())
}

/// The request of a check; `None` when what was configured is no path or no header.
fn request(check: &Check, path: &str, headers: &str) -> Option<Request<Empty<Bytes>>> {
    let path = if path.is_empty() { "/" } else { path };
    let host = format!("{}:{}", check.ip, check.port);
    let mut request = Request::get(path).header(header::HOST, host).body(Empty::new()).ok()?;
    for pair in headers.split('|').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once(':')?;
        let name: HeaderName = name.trim().parse().ok()?;
        request.headers_mut().insert(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some(request)
}

/// Sends a request; the status of the answer. Its body is not read.
async fn ask(stream: TcpStream, request: Request<Empty<Bytes>>) -> Option<u16> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let answer = sender.send_request(request);
    tokio::pin!(connection, answer);
    tokio::select! {
        biased;
        answer = &mut answer => Some(answer.ok()?.status().as_u16()),
        // An answer that came with the end of the connection is an answer.
        _ = &mut connection => Some(answer.await.ok()?.status().as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    fn check(port: u16, checker: Checker) -> Check {
        let timeout = Duration::from_secs(5);
        Check { id: 1, ip: "127.0.0.1".into(), port, checker, timeout }
    }

    fn http(path: &str, expected_code: u16) -> Checker {
        Checker::Http { path: path.into(), headers: "x-check:1|x-by: trine".into(), expected_code }
    }

    /// Answers each connection with this; gives back what was asked.
    async fn serve(answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut bytes = vec![0; 1024];
            let len = stream.read(&mut bytes).await.expect("a request");
            stream.write_all(answer.as_bytes()).await.expect("an answer");
            String::from_utf8_lossy(&bytes[..len]).into_owned()
        });
        (port, asked)
    }

    #[tokio::test]
    async fn an_instance_that_takes_connections_is_healthy() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert!(is_healthy(&check(port, Checker::Tcp)).await);
        drop(listener);
        assert!(!is_healthy(&check(port, Checker::Tcp)).await);
    }

    #[tokio::test]
    async fn a_request_has_the_configured_path_and_headers() {
        let (port, asked) = serve("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(is_healthy(&check(port, http("/up?x=1", 204))).await);
        let asked = asked.await.expect("the server ran");
        assert!(asked.starts_with("GET /up?x=1 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("x-check: 1") && asked.contains("x-by: trine"), "{asked}");
    }

    #[tokio::test]
    async fn another_status_is_not_healthy() {
        let (port, _) = serve("HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n").await;
        assert!(!is_healthy(&check(port, http("/", 200))).await);
    }

    #[tokio::test]
    async fn what_is_no_path_or_no_http_is_not_healthy() {
        let (port, _) = serve("junk\r\n\r\n").await;
        assert!(!is_healthy(&check(port, http("", 200))).await);
        let (port, _asked) = serve("HTTP/1.1 200 OK\r\n\r\n").await;
        assert!(!is_healthy(&check(port, http("no path", 200))).await);
    }

    #[tokio::test]
    async fn silence_is_not_healthy() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let timeout = Duration::from_millis(50);
        assert!(!is_healthy(&Check { timeout, ..check(port, http("/", 200)) }).await);
    }
}
