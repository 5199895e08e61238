//! The client against a socket that answers with what is written here.

use super::{Call, Client};
use crate::{
    cli::Cli,
    problem::{Exit, Failure},
};
use clap::Parser;
use console::shape::Written;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime,
};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn client(port: u16, token: Option<&str>) -> Client {
    let server = format!("127.0.0.1:{port}");
    let cli = Cli::try_parse_from(["trine", "--server", &server, "--timeout", "300ms", "status"]);
    let mut client = Client::anonymous(&cli.expect("a right command line").global);
    client.token = token.map(str::to_owned);
    client
}

/// Sends a call to a socket that says `answer`; gives what the socket heard, and what came of it.
fn exchange(answer: &'static str) -> (String, Result<Written, Failure>) {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the client comes");
            let mut heard = vec![0; 4096];
            let length = stream.read(&mut heard).await.expect("a request");
            stream.write_all(answer.as_bytes()).await.expect("it listens");
            heard.truncate(length);
            // Without an answer the socket stays open, so that the client must lose patience.
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            String::from_utf8(heard).expect("plain text")
        });
        let call =
            Call::new(http::Method::PUT, &["v1", "services", "a b"]).with("group", Some("g"));
        let result = client(port, Some("t0k")).call(call).await;
        let heard = if answer.is_empty() { String::new() } else { server.await.expect("it ends") };
        (heard, result)
    })
}

#[test]
fn a_request_goes_out_with_its_token_and_its_answer_is_read() {
    let (heard, result) =
        exchange("HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"changed\":true}");
    assert!(heard.starts_with("PUT /v1/services/a%20b?group=g HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("authorization: Bearer t0k\r\n"), "{heard}");
    assert!(result.expect("it went well").changed);
}

#[test]
fn a_problem_becomes_an_exit_code_and_keeps_its_words() {
    let (_, result) = exchange(
        "HTTP/1.1 409 Conflict\r\nconnection: close\r\n\r\n{\"type\":\"u\",\"title\":\"t\",\
         \"status\":409,\"code\":\"conflict\",\"what\":\"w\",\"where\":\"PUT on n1\",\
         \"why\":\"because\",\"next\":\"go on\"}",
    );
    let failure = result.expect_err("a conflict");
    assert_eq!(failure.exit, Exit::Conflict);
    let text = failure.to_string();
    assert!(
        text.starts_with("error[conflict]: w\n  where    PUT on n1 (http://127.0.0.1:"),
        "{text}"
    );
}

#[test]
fn what_is_no_answer_of_ours_is_said_to_be_strange() {
    for answer in [
        "HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nnginx",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
    ] {
        let (_, result) = exchange(answer);
        assert_eq!(result.expect_err("strange").exit, Exit::Failed);
    }
}

#[test]
fn silence_and_absence_have_exit_codes_of_their_own() {
    let (_, result) = exchange("");
    assert_eq!(result.expect_err("too late").exit, Exit::TimedOut);
    let refused = block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        client(port, None).call::<Written>(Call::get(&["v1", "status"])).await
    });
    assert_eq!(refused.expect_err("nobody is there").exit, Exit::Unavailable);
}

#[test]
fn a_stream_gives_its_events_and_ends() {
    let names = block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the client comes");
            let mut heard = [0; 4096];
            let _ = stream.read(&mut heard).await.expect("a request");
            let text = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nevent: service\ndata: 1\n\n\
                        : beat\n\nevent: end\ndata: 2\n\n";
            stream.write_all(text.as_bytes()).await.expect("it listens");
        });
        let call = Call::get(&["v1", "services", "web"]);
        let mut events = client(port, None).events(call).await.expect("a stream");
        let mut names = Vec::new();
        while let Some(event) = events.next().await.expect("whole") {
            names.push(event.name);
        }
        names
    });
    assert_eq!(names, ["service", "end"]);
}

#[test]
fn a_watch_goes_on_after_a_break_and_ends_with_the_servers_reason() {
    let mut shown = Vec::new();
    let ended = block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        let problem = "{\"type\":\"u\",\"title\":\"t\",\"status\":403,\"code\":\"forbidden\",\
                       \"what\":\"w\",\"where\":\"p\",\"why\":\"y\",\"next\":\"n\"}";
        let answers = [
            format!("{head}event: service\ndata: 1\n\n"),
            format!("{head}event: service\ndata: 1\n\nevent: service\ndata: 2\n\n"),
            format!("{head}event: end\ndata: {problem}\n\n"),
        ];
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("the client comes");
                let mut heard = [0; 4096];
                let _ = stream.read(&mut heard).await.expect("a request");
                stream.write_all(answer.as_bytes()).await.expect("it listens");
            }
        });
        let client = client(port, None);
        let call = || Call::get(&["v1", "services", "web"]);
        crate::command::watch::watch(&client, call, |event| {
            shown.push(event.data.clone());
            Ok(())
        })
        .await
    });
    assert_eq!(ended.expect_err("the right is gone").exit, Exit::Denied);
    assert_eq!(shown, ["1", "2"], "what was shown already is not shown again");
}
