//! Bytes on sockets: HTTP/1.1 without manners, and frames of HTTP/2 by hand.

use crate::setup::soon;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[derive(Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).await.expect("the door is open");
    socket.set_nodelay(true).expect("a socket");
    socket
}

/// One whole request on a connection of its own.
pub async fn ask(address: SocketAddr, verb: &str, target: &str, body: &str) -> Reply {
    ask_with(address, verb, target, "", body).await
}

pub async fn ask_with(
    address: SocketAddr,
    verb: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Reply {
    let mut socket = connect(address).await;
    let request = request(verb, target, headers, body);
    socket.write_all(request.as_bytes()).await.expect("sent");
    soon("an answer", read_reply(&mut socket)).await.expect("an answer")
}

pub fn request(verb: &str, target: &str, headers: &str, body: &str) -> String {
    format!(
        "{verb} {target} HTTP/1.1\r\nhost: x\r\n{headers}\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The next answer on a connection; `None` if it ends before.
pub async fn read_reply(socket: &mut TcpStream) -> Option<Reply> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    socket.read_exact(&mut body).await.ok()?;
    Some(Reply { status, head, body })
}

/// Everything until the other side closes, however it does that.
pub async fn read_to_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length) = soon("the server closes", socket.read(&mut piece)).await {
        if length == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..length]);
    }
    bytes
}

/// What an HTTP/2 connection begins with, and empty settings.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// `:method` and `:scheme` from the static table, `:path` and `:authority` as literals.
pub fn head(post: bool, path: &str) -> Vec<u8> {
    let mut block = vec![if post { 0x83 } else { 0x82 }, 0x86, 0x01, 1, b'x', 0x04];
    block.push(u8::try_from(path.len()).expect("a short path"));
    block.extend(path.as_bytes());
    block
}

#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// The next frame; `None` when the connection ends.
pub async fn read_frame(socket: &mut TcpStream) -> Option<Frame> {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload).await.ok()?;
    Some(Frame { kind: head[3], stream, payload })
}
