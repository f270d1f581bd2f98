//! HTTP/2 by hand: what a client may do, and what none would.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::PATIENCE;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const INITIAL_WINDOW_SIZE: u16 = 4;

/// A frame as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// A connection of a client that writes its frames itself.
pub struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A block of headers, none of which is indexed.
pub fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "longer ones need another form");
            bytes.push(u8::try_from(text.len()).unwrap());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

/// The whole head of a request without a body.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    let head = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "x")];
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(&head))
}

/// A request with a body.
pub fn post(stream: u32, path: &str, secret: &str, body: &str) -> Vec<u8> {
    let bearer = format!("Bearer {secret}");
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let mut bytes = frame(HEADERS, END_HEADERS, stream, &block(&head));
    bytes.extend(frame(DATA, END_STREAM, stream, body.as_bytes()));
    bytes
}

/// More of a window: of a stream, or of the connection, which is stream 0.
pub fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

impl Raw {
    /// Connects, and grants each stream this window.
    pub async fn connect(address: SocketAddr, window: u32) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut settings = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        settings.extend_from_slice(&window.to_be_bytes());
        let hello = [PREFACE, &frame(SETTINGS, 0, 0, &settings), &frame(SETTINGS, ACK, 0, &[])].concat();
        // Whoever is refused finds that out when it reads.
        let _ = stream.write_all(&hello).await;
        Self { stream, unread: Vec::new() }
    }

    /// Sends frames. Whether they could be sent.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next frame; `None` at the end of the connection, however that comes.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(head) = self.unread.first_chunk::<9>() {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let end = 9 + usize::try_from(length).unwrap();
                if self.unread.len() >= end {
                    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                    let (kind, flags) = (head[3], head[4]);
                    let payload = self.unread[9..end].to_vec();
                    self.unread.drain(..end);
                    return Some(Frame { kind, flags, stream, payload });
                }
            }
            let mut part = [0; 16_384];
            match tokio::time::timeout(PATIENCE, self.stream.read(&mut part)).await.expect("the gateway waits for ever")
            {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.unread.extend_from_slice(&part[..read]),
            }
        }
    }

    /// What comes within some moments: whoever keeps a connection busy does not wait.
    pub async fn soon(&mut self) -> Result<Option<Frame>, tokio::time::error::Elapsed> {
        tokio::time::timeout(Duration::from_millis(20), self.next()).await
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}
