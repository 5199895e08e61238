//! Floods of HTTP/2 frames, by hand: no library would send them.

use crate::{
    setup::{SHORT, Target, soon},
    wire::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM,
        SETTINGS, WINDOW_UPDATE, connect, frame, head, read_frame, read_to_end,
    },
};
use server::Limits;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const PROBE: &str = "/nacos/v1/console/health/liveness";
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const REFUSED: u32 = 7;

async fn target() -> Target {
    let limits = Limits { abandoned_max: 100, close_timeout: SHORT, ..Limits::default() };
    Target::within(limits).await
}

/// Sends frame after frame, and reads whatever comes, until the server ends the connection.
async fn ends_it(what: &str, mut socket: TcpStream, mut next: impl FnMut(u32) -> Vec<u8>) {
    socket.write_all(PREFACE).await.expect("sent");
    let (mut reader, mut writer) = socket.split();
    let flood = async {
        for number in 0.. {
            if writer.write_all(&next(number)).await.is_err() {
                return;
            }
        }
    };
    let mut sink = tokio::io::sink();
    let drain = tokio::io::copy(&mut reader, &mut sink);
    let ended = async {
        tokio::select! {
            biased;
            () = flood => {}
            // However it ends.
            _ = drain => {}
        }
    };
    soon(what, ended).await;
}

#[tokio::test]
async fn resets_as_fast_as_requests_end_the_connection() {
    let target = target().await;
    for door in target.doors() {
        ends_it("GOAWAY for rapid resets", connect(door).await, |number| {
            let stream = number * 2 + 1;
            let open = frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(false, PROBE));
            [open, frame(RST_STREAM, 0, stream, &CANCEL)].concat()
        })
        .await;
    }
    target.unharmed().await;
}

#[tokio::test]
async fn requests_that_wait_and_are_given_up_end_the_connection() {
    let target = target().await;
    let mut socket = connect(target.api).await;
    socket.write_all(PREFACE).await.expect("sent");
    let mut stream = 1;
    let ended = async {
        loop {
            // A ping between the two: the request was looked at when its answer comes.
            let open = frame(HEADERS, END_HEADERS, stream, &head(true, PROBE));
            let ping = frame(PING, 0, 0, &u64::from(stream).to_be_bytes());
            if socket.write_all(&[open, ping].concat()).await.is_err() {
                return;
            }
            loop {
                match read_frame(&mut socket).await {
                    None => return,
                    Some(frame) if frame.kind == PING => break,
                    Some(_) => {}
                }
            }
            if socket.write_all(&frame(RST_STREAM, 0, stream, &CANCEL)).await.is_err() {
                return;
            }
            stream += 2;
        }
    };
    soon("the connection ends", ended).await;
    assert!(stream > 200, "a client may give up some requests: {stream}");
    assert!(stream < 20_000, "and not any number: {stream}");
    drop(socket);
    assert!(target.rejected(base::Limit::AbandonedRequests).await >= 1);
    target.unharmed().await;
}

#[tokio::test]
async fn headers_without_end_end_the_connection() {
    let target = target().await;
    for door in target.doors() {
        ends_it("GOAWAY for continuations", connect(door).await, |number| match number {
            0 => frame(HEADERS, 0, 1, &head(false, PROBE)),
            _ => frame(CONTINUATION, 0, 1, &[&[0x00, 1, b'x', 100][..], &[b'a'; 100]].concat()),
        })
        .await;
        ends_it("GOAWAY for empty continuations", connect(door).await, |number| match number {
            0 => frame(HEADERS, 0, 1, &head(false, PROBE)),
            _ => frame(CONTINUATION, 0, 1, &[]).repeat(100),
        })
        .await;
    }
    target.unharmed().await;
}

#[tokio::test]
async fn data_frames_with_nothing_in_them_end_the_connection() {
    let target = target().await;
    for door in target.doors() {
        ends_it("GOAWAY for empty data", connect(door).await, |number| match number {
            0 => frame(HEADERS, END_HEADERS, 1, &head(true, PROBE)),
            _ => frame(DATA, 0, 1, &[]).repeat(100),
        })
        .await;
    }
    target.unharmed().await;
}

#[tokio::test]
async fn mistakes_that_force_us_to_reset_end_the_connection() {
    let target = target().await;
    // A window that overflows is the stream's error, and we have to reset it (made-you-reset).
    let more = 0x7fff_ffff_u32.to_be_bytes();
    for door in target.doors() {
        ends_it("GOAWAY for mistakes", connect(door).await, |number| {
            let stream = number * 2 + 1;
            let open = frame(HEADERS, END_HEADERS, stream, &head(true, PROBE));
            [open, frame(WINDOW_UPDATE, 0, stream, &more)].concat()
        })
        .await;
    }
    target.unharmed().await;
}

#[tokio::test]
async fn settings_and_pings_without_end_hurt_nobody_else() {
    let target = target().await;
    let mut socket = connect(target.api).await;
    socket.write_all(PREFACE).await.expect("sent");
    let (mut reader, mut writer) = socket.split();
    let mut sink = tokio::io::sink();
    let drain = tokio::io::copy(&mut reader, &mut sink);
    let flood = [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, &[0; 8])].concat().repeat(100);
    let attack = async { while writer.write_all(&flood).await.is_ok() {} };
    tokio::select! {
        biased;
        _ = drain => {}
        () = attack => {}
        () = target.serves() => {}
    }
    drop(socket);
    target.unharmed().await;
}

#[tokio::test]
async fn a_small_block_that_unfolds_to_large_headers_is_refused() {
    let target = target().await;
    let mut socket = connect(target.api).await;
    // One header of 4 KB goes into the table, and is named ten thousand times.
    let mut block = head(false, PROBE);
    let name_and_value = [&[0x40, 1, b'x', 0x7f, 0x81, 0x1e][..], &[b'a'; 4_000]].concat();
    block.extend(name_and_value);
    block.extend([0xbe; 10_000]);
    let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
    socket.write_all(&[PREFACE.to_vec(), request].concat()).await.expect("sent");
    let answer = async {
        loop {
            match read_frame(&mut socket).await {
                None => return "closed",
                Some(frame) if frame.kind == GOAWAY => return "closed",
                Some(frame) if frame.stream == 1 && frame.kind == RST_STREAM => return "reset",
                // 431 is not in the static table: a literal.
                Some(frame) if frame.stream == 1 => {
                    let refused = frame.payload.windows(3).any(|text| text == b"431")
                        || frame.payload.first() != Some(&0x88);
                    return if refused { "refused" } else { "served" };
                }
                Some(_) => {}
            }
        }
    };
    assert_ne!(soon("an answer", answer).await, "served");
    drop(socket);
    target.unharmed().await;
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_and_the_others_are_served() {
    let target = target().await;
    let mut socket = connect(target.api).await;
    let mut bytes = PREFACE.to_vec();
    for number in 0..300 {
        bytes.extend(frame(HEADERS, END_HEADERS, number * 2 + 1, &head(true, PROBE)));
    }
    socket.write_all(&bytes).await.expect("sent");
    let refused = async {
        let mut refused = 0;
        while refused < 44 {
            let frame = read_frame(&mut socket).await.expect("the connection lives");
            if frame.kind == RST_STREAM {
                assert_eq!(frame.payload, REFUSED.to_be_bytes());
                assert!(frame.stream > 2 * 256, "not one of the first 256");
                refused += 1;
            }
        }
    };
    soon("44 refusals", refused).await;
    target.serves().await;
    drop(socket);
    target.unharmed().await;
}

#[tokio::test]
async fn a_preface_without_a_request_is_closed() {
    let limits = Limits { head_timeout: SHORT, close_timeout: SHORT, ..Limits::default() };
    let target = Target::within(limits).await;
    let mut socket = connect(target.grpc).await;
    socket.write_all(PREFACE).await.expect("sent");
    read_to_end(&mut socket).await;
    assert!(target.rejected(base::Limit::HeadTimeout).await >= 1);
    target.unharmed().await;
}
