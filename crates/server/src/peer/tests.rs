//! Two nodes, and who comes between them: over streams in memory, so nothing waits for a network.

use super::{
    Broken, Stage,
    frames::{Reader, Writer},
    hello::{HELLO_BYTES, Hello, NONCE_BYTES, Role},
    introduce::{self, Answer, INTRODUCTION_BYTES_MAX, No},
    prove::{self, Binding},
    tls::Tls,
};
use bytes::Bytes;
use cluster::{Refusal, TokenId};
use host::{KeyName, Lane};
use proptest::prelude::*;
use std::{collections::VecDeque, future::Future, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex},
    join,
};
use tokio_rustls::TlsStream;

mod certificates;

const SECRET: &[u8] = b"sixteen bytes or more";
const FRAME_BYTES_MAX: usize = 1 << 20;
const STALL_MAX: Duration = Duration::from_secs(10);

type Stream = TlsStream<DuplexStream>;

fn tls(seed: u8) -> Tls {
    Tls::own([seed; 32]).expect("ring takes any 32 bytes")
}

/// Both ends of one TLS connection: the dialer's and the acceptor's.
async fn channel() -> ((Stream, Binding), (Stream, Binding)) {
    let (near, far) = duplex(64 * 1024);
    let (dialing, accepting) = (tls(1), tls(2));
    let (dialer, acceptor) = join!(dialing.connect(near, "peer"), accepting.accept(far));
    (dialer.expect("TLS"), acceptor.expect("TLS"))
}

fn known(secret: &'static [u8]) -> impl FnOnce(KeyName) -> Option<Vec<u8>> {
    move |name| (name == KeyName::Cluster).then(|| secret.to_vec())
}

async fn dial(stream: &mut Stream, binding: Binding, secret: &[u8]) -> Result<(), Broken> {
    prove::dial(stream, binding, Lane::Bulk, KeyName::Cluster, secret, [1; NONCE_BYTES]).await
}

/// An acceptor that hangs up when it does not believe.
async fn accept(
    mut stream: Stream,
    binding: Binding,
    secret: &'static [u8],
) -> Result<(Lane, KeyName), Broken> {
    prove::accept(&mut stream, binding, known(secret), [2; NONCE_BYTES]).await
}

/// Ends a future that must not wait for anything.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("nobody waits for ever")
}

#[tokio::test]
async fn who_knows_the_secret_is_believed_and_each_connection_exports_its_own() {
    let ((mut near, near_binding), (far, far_binding)) = channel().await;
    assert_eq!(near_binding.0, far_binding.0);
    let (dialed, accepted) = soon(async {
        join!(dial(&mut near, near_binding, SECRET), accept(far, far_binding, SECRET))
    })
    .await;
    dialed.expect("believed");
    assert_eq!(accepted.expect("believed"), (Lane::Bulk, KeyName::Cluster));
    let ((_, other), _) = channel().await;
    assert_ne!(near_binding.0, other.0);
}

#[tokio::test]
async fn another_secret_is_refused_and_neither_side_learns_a_proof_of_the_acceptor() {
    let ((mut near, near_binding), (far, far_binding)) = channel().await;
    let (dialed, accepted) = soon(async {
        join!(
            dial(&mut near, near_binding, b"not the secret at all"),
            accept(far, far_binding, SECRET)
        )
    })
    .await;
    assert!(matches!(accepted, Err(Broken::Proof)), "{accepted:?}");
    // It heard a hello and then nothing.
    assert!(matches!(dialed, Err(Broken::NotTrusted)), "{dialed:?}");
}

#[tokio::test]
async fn an_acceptor_without_the_secret_is_not_believed() {
    let ((mut near, near_binding), (mut far, far_binding)) = channel().await;
    // It takes any proof, and answers with what it can.
    let impostor = async {
        let mut hello = [0; HELLO_BYTES];
        far.read_exact(&mut hello).await.expect("a hello");
        let theirs = Hello::decode(&hello, Role::Dialer).expect("a dialer's");
        let ours = Hello { role: Role::Acceptor, nonce: [9; NONCE_BYTES], ..theirs };
        far.write_all(&ours.encode()).await.expect("room");
        far.flush().await.expect("room");
        let mut proof = [0; 32];
        far.read_exact(&mut proof).await.expect("a proof");
        // Reflection: the dialer's own proof, sent back.
        far.write_all(&proof).await.expect("room");
        far.flush().await.expect("room");
        let _ = far_binding;
    };
    let (dialed, ()) = soon(async { join!(dial(&mut near, near_binding, SECRET), impostor) }).await;
    assert!(matches!(dialed, Err(Broken::Proof)), "{dialed:?}");
}

#[tokio::test]
async fn a_hello_that_is_sent_back_is_not_an_answer() {
    let ((mut near, near_binding), (mut far, _)) = channel().await;
    let mirror = async {
        let mut hello = [0; HELLO_BYTES];
        far.read_exact(&mut hello).await.expect("a hello");
        far.write_all(&hello).await.expect("room");
        far.flush().await.expect("room");
        // In the other role, it is still the dialer's nonce.
        hello[5] = Role::Acceptor.byte();
        hello
    };
    let (dialed, turned) =
        soon(async { join!(dial(&mut near, near_binding, SECRET), mirror) }).await;
    assert!(matches!(dialed, Err(Broken::Mismatch)), "{dialed:?}");
    let (mut near, mut far) = duplex(4096);
    far.write_all(&turned).await.expect("room");
    let nonce = [1; NONCE_BYTES];
    let dialed =
        prove::dial(&mut near, near_binding, Lane::Bulk, KeyName::Cluster, SECRET, nonce).await;
    assert!(matches!(dialed, Err(Broken::Mismatch)), "{dialed:?}");
}

#[tokio::test]
async fn a_relay_between_two_connections_is_refused() {
    // The relay has a TLS connection with each of them and passes on what they say, byte for byte.
    let ((mut dialer, dialer_binding), (mut relay_in, _)) = channel().await;
    let ((mut relay_out, _), (acceptor, acceptor_binding)) = channel().await;
    tokio::spawn(async move {
        // How it ends is the business of the two.
        let _ = tokio::io::copy_bidirectional(&mut relay_in, &mut relay_out).await;
    });
    let (dialed, accepted) =
        soon(async {
            join!(
                dial(&mut dialer, dialer_binding, SECRET),
                accept(acceptor, acceptor_binding, SECRET),
            )
        })
        .await;
    assert!(matches!(accepted, Err(Broken::Proof)), "{accepted:?}");
    assert!(matches!(dialed, Err(Broken::NotTrusted)), "{dialed:?}");
}

#[tokio::test]
async fn what_was_said_once_is_of_no_use_in_another_connection() {
    // What a dialer said, as somebody recorded it who could see through TLS.
    let ((mut near, near_binding), (mut far, far_binding)) = channel().await;
    let mut said = Vec::new();
    let listening = async {
        let mut recorder = Recorder { stream: &mut far, heard: &mut said };
        prove::accept(&mut recorder, far_binding, known(SECRET), [2; NONCE_BYTES]).await
    };
    let (dialed, accepted) =
        soon(async { join!(dial(&mut near, near_binding, SECRET), listening) }).await;
    dialed.expect("believed");
    accepted.expect("believed");
    assert_eq!(said.len(), HELLO_BYTES + 32);
    // In another connection; then in the same one, where the acceptor has a new nonce.
    for (binding, nonce) in [(Binding([7; 32]), [2; 32]), (far_binding, [3; 32])] {
        let (mut near, mut far) = duplex(4096);
        near.write_all(&said).await.expect("room");
        let accepted = soon(prove::accept(&mut far, binding, known(SECRET), nonce)).await;
        assert!(matches!(accepted, Err(Broken::Proof)), "{accepted:?}");
    }
    // With nothing changed it would pass: the refusals above are for what was changed.
    let (mut near, mut far) = duplex(4096);
    near.write_all(&said).await.expect("room");
    soon(prove::accept(&mut far, far_binding, known(SECRET), [2; 32])).await.expect("the same");
}

#[tokio::test]
async fn an_unknown_key_a_changed_hello_and_junk_are_refused() {
    let binding = Binding([7; 32]);
    let hello = Hello {
        role: Role::Dialer,
        lane: Lane::Urgent,
        key: KeyName::Token(TokenId(5)),
        nonce: [1; NONCE_BYTES],
    };
    let whole = hello.encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = whole;
        bytes[at] = byte;
        bytes
    };
    for (bytes, label) in [
        (whole, "proof"),
        (with(0, b'G'), "hello"),
        (with(4, 9), "hello"),
        (with(5, b'A'), "hello"),
        (with(6, 2), "hello"),
        (with(7, 2), "hello"),
        (with(20, 1), "hello"),
    ] {
        let (mut near, mut far) = duplex(4096);
        near.write_all(&bytes).await.expect("room");
        near.write_all(&[0; 32]).await.expect("room");
        let accepted = soon(prove::accept(&mut far, binding, known(SECRET), [2; 32])).await;
        assert_eq!(accepted.expect_err("refused").label(), label);
    }
    let (near, mut far) = duplex(4096);
    drop(near);
    let accepted = soon(prove::accept(&mut far, binding, known(SECRET), [2; 32])).await;
    assert_eq!(accepted.expect_err("nobody").label(), "broken_off");
}

#[tokio::test]
async fn who_does_not_speak_tls_does_not_come_to_a_hello() {
    for junk in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x16, 3, 1, 0xff, 0xff, 0], &[0; 200]] {
        let (mut near, far) = duplex(64 * 1024);
        near.write_all(junk).await.expect("room");
        near.shutdown().await.expect("open");
        let accepted = soon(tls(2).accept(far)).await;
        assert_eq!(accepted.err().expect("refused").label(), "tls");
    }
}

#[tokio::test]
async fn who_proves_a_token_is_welcomed_with_the_secret_and_an_unknown_one_is_refused() {
    let invited = KeyName::Token(TokenId(5));
    let find_key = |name| match name {
        KeyName::Token(TokenId(5)) => Some(b"the key of token five, long".to_vec()),
        KeyName::Token(_) | KeyName::Cluster => None,
    };
    let ((mut near, near_binding), (mut far, far_binding)) = channel().await;
    let dialing = async {
        let key = b"the key of token five, long";
        let nonce = [1; NONCE_BYTES];
        prove::dial(&mut near, near_binding, Lane::Urgent, invited, key, nonce).await?;
        introduce::say(&mut near, b"newcomer").await?;
        Answer::decode(&introduce::hear(&mut near).await?)
    };
    let accepting = async {
        let come = prove::accept(&mut far, far_binding, find_key, [2; NONCE_BYTES]).await?;
        introduce::hear(&mut far).await?;
        let answer = Answer { verdict: Ok(SECRET.to_vec()), introduction: b"member".to_vec() };
        introduce::say(&mut far, &answer.encode()).await?;
        Ok::<_, Broken>(come)
    };
    let (answer, come) = soon(async { join!(dialing, accepting) }).await;
    assert_eq!(come.expect("believed"), (Lane::Urgent, invited));
    assert_eq!(answer.expect("answered").verdict, Ok(SECRET.to_vec()));
    let ((mut near, near_binding), (mut far, far_binding)) = channel().await;
    let other = KeyName::Token(TokenId(6));
    let (dialed, accepted) = soon(async {
        let accepting =
            async move { prove::accept(&mut far, far_binding, find_key, [2; NONCE_BYTES]).await };
        let nonce = [1; NONCE_BYTES];
        join!(prove::dial(&mut near, near_binding, Lane::Bulk, other, SECRET, nonce), accepting)
    })
    .await;
    assert!(matches!(accepted, Err(Broken::UnknownKey)), "{accepted:?}");
    assert!(matches!(dialed, Err(Broken::NotTrusted)), "{dialed:?}");
}

#[tokio::test]
async fn introductions_and_answers_cross_and_too_long_ones_do_not() {
    let (mut near, mut far) = duplex(64 * 1024);
    introduce::say(&mut near, b"this is me").await.expect("room");
    assert_eq!(introduce::hear(&mut far).await.expect("heard"), b"this is me");
    near.write_all(&[0xff; 2]).await.expect("room");
    let long = introduce::hear(&mut far).await.expect_err("too long");
    assert_eq!(long.label(), "introduction");
    let said = introduce::say(&mut near, &[0; INTRODUCTION_BYTES_MAX + 1]).await;
    assert_eq!(said.expect_err("too long").label(), "introduction");
}

const REFUSALS: &[Refusal] =
    &[Refusal::Itself, Refusal::OtherCluster, Refusal::Removed, Refusal::Twin, Refusal::Protocols];

proptest! {
    #[test]
    fn an_answer_reads_as_it_was_said_and_junk_is_an_error(
        welcome in proptest::collection::vec(any::<u8>(), 0..100),
        why in "[a-z ]{0,40}",
        taken: bool,
        refusal in proptest::option::of(proptest::sample::select(REFUSALS)),
        introduction in proptest::collection::vec(any::<u8>(), 0..100),
        junk in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let verdict = if taken { Ok(welcome) } else { Err(No { refusal, why }) };
        let answer = Answer { verdict, introduction };
        prop_assert_eq!(Answer::decode(&answer.encode()).expect("whole"), answer);
        let _ = Answer::decode(&junk);
    }

    #[test]
    fn whatever_a_stranger_says_is_an_error_on_either_side(
        said in proptest::collection::vec(any::<u8>(), 0..200),
        begins_well: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            for role in [Role::Dialer, Role::Acceptor] {
                let hello = Hello { role, lane: Lane::Bulk, key: KeyName::Cluster, nonce: [9; 32] };
                let head = if begins_well { hello.encode().to_vec() } else { Vec::new() };
                let (mut near, mut far) = duplex(4096);
                near.write_all(&[head, said.clone()].concat()).await.expect("room");
                near.shutdown().await.expect("open");
                let (binding, nonce) = (Binding([7; 32]), [2; NONCE_BYTES]);
                let heard = match role {
                    Role::Dialer => {
                        prove::accept(&mut far, binding, known(SECRET), nonce).await.map(|_| ())
                    }
                    Role::Acceptor => {
                        let key = KeyName::Cluster;
                        prove::dial(&mut far, binding, Lane::Bulk, key, SECRET, nonce).await
                    }
                };
                assert!(heard.is_err());
            }
        });
    }

    #[test]
    fn a_hello_reads_as_it_was_said(id: u64, token: bool, urgent: bool, nonce: [u8; 32]) {
        let key = if token { KeyName::Token(TokenId(id)) } else { KeyName::Cluster };
        let lane = if urgent { Lane::Urgent } else { Lane::Bulk };
        for role in [Role::Dialer, Role::Acceptor] {
            let hello = Hello { role, lane, key, nonce };
            prop_assert_eq!(Hello::decode(&hello.encode(), role).expect("whole"), hello);
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_the_bytes_are_cut(
        lens in proptest::collection::vec(1_usize..70_000, 0..12),
        room in 1_usize..100_000,
    ) {
        let frames: Vec<Bytes> = lens.iter().zip(0_u8..)
            .map(|(len, fill)| Bytes::from(vec![fill; *len])).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let (near, far) = duplex(room);
            let mut queue: VecDeque<Bytes> = frames.iter().cloned().collect();
            let writing = async move {
                let mut writer = Writer::new(near, STALL_MAX);
                writer.write(|| queue.pop_front()).await.expect("room");
            };
            let reading = async {
                let mut reader = Reader::new(far, FRAME_BYTES_MAX);
                let mut read = Vec::new();
                while let Some(frame) = reader.next().await.expect("frames") {
                    read.push(frame);
                }
                read
            };
            let ((), read) = join!(writing, reading);
            assert_eq!(read, frames);
        });
    }
}

#[tokio::test]
async fn a_frame_that_claims_too_much_ends_the_connection_and_costs_no_memory() {
    for (len, wrong) in
        [(0_u32, true), (FRAME_BYTES_MAX as u32 + 1, true), (u32::MAX, true), (9, false)]
    {
        let (mut near, far) = duplex(4096);
        near.write_all(&len.to_be_bytes()).await.expect("room");
        drop(near);
        let label = if wrong { "frame" } else { "broken_off" };
        let ended = Reader::new(far, FRAME_BYTES_MAX).next().await;
        assert_eq!(ended.expect_err("no frame").label(), label);
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_that_takes_nothing_is_given_up() {
    let (near, far) = duplex(1000);
    let mut writer = Writer::new(near, STALL_MAX);
    let mut frames = vec![Bytes::from(vec![7; 2000])];
    let written = writer.write(|| frames.pop()).await;
    assert!(matches!(written, Err(Broken::Stalled(STALL_MAX))), "{written:?}");
    drop(far);
}

#[test]
fn no_reason_shows_a_secret() {
    for broken in
        [Broken::Proof, Broken::UnknownKey, Broken::NotTrusted, Broken::Late(Stage::Proof)]
    {
        let shown = format!("{broken} {broken:?}");
        assert!(!shown.contains("sixteen"), "{shown}");
    }
}

/// Notes what is read.
struct Recorder<'a, S> {
    stream: &'a mut S,
    heard: &'a mut Vec<u8>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorder<'_, S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = std::pin::Pin::new(&mut *self.stream).poll_read(context, buffer);
        self.heard.extend_from_slice(&buffer.filled()[before..]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorder<'_, S> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut *self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut *self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut *self.stream).poll_shutdown(context)
    }
}
