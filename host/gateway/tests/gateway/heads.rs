//! Requests that another server would read otherwise, on a real socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::chat;
use crate::frames::{self, DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, Raw};
use crate::world::{PATIENCE, World};

/// What a front that reads otherwise would take for the request of somebody else.
const SMUGGLED: &str = "GET /v1/models HTTP/1.1\r\nhost: x\r\nx-smuggled: 1\r\n\r\n";

/// Sends bytes, so many at once, and returns everything that is said up to the end of the connection.
async fn said(world: &World, bytes: &[u8], at_once: usize) -> String {
    let mut stream = TcpStream::connect(world.running.addresses()[0]).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let write = async {
        for part in bytes.chunks(at_once) {
            if writer.write_all(part).await.is_err() {
                return;
            }
            if at_once < bytes.len() {
                tokio::task::yield_now().await;
            }
        }
    };
    let mut said = Vec::new();
    let read = async {
        // A reset is an end, too.
        let _ = reader.read_to_end(&mut said).await;
    };
    let both = tokio::time::timeout(PATIENCE, async { tokio::join!(write, read) });
    both.await.expect("the connection stays open");
    String::from_utf8_lossy(&said).into_owned()
}

fn statuses(said: &str) -> Vec<&str> {
    said.split("HTTP/1.1 ").skip(1).filter_map(|reply| reply.get(..3)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_can_be_read_in_two_ways_is_400_and_the_last() {
    let world = World::new().await;
    let secret = world.secret("app").await;
    let body = chat("gpt-4o").to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\n"
    );
    let length = body.len();
    let sized = format!("{head}content-length: {length}\r\n");
    let chunked = format!("{head}transfer-encoding: chunked\r\n");
    let chunks = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let good = [format!("{sized}\r\n{body}"), format!("{chunked}\r\n{chunks}")].concat();
    let flaws = [
        format!("{sized}transfer-encoding: chunked\r\n\r\n{chunks}"),
        format!("{chunked}content-length: {length}\r\n\r\n{chunks}"),
        format!("{head}transfer-encoding: identity, chunked\r\n\r\n{chunks}"),
        format!("{head}transfer-encoding: chunked, chunked\r\n\r\n{chunks}"),
        format!("{head}transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"),
        format!("{head}transfer-encoding: identity\r\ncontent-length: {length}\r\n\r\n{body}"),
        format!("{head}transfer-encoding : chunked\r\n\r\n{chunks}"),
        format!("{head}transfer-encoding:\tchunked\r\n bar\r\n\r\n{chunks}"),
        format!("{chunked}\r\n{chunks}").replace("HTTP/1.1", "HTTP/1.0"),
        format!("{sized}content-length: {length}\r\n\r\n{body}"),
        format!("{sized}content-length: 0\r\n\r\n{body}"),
        format!("{head}content-length: {length}, {length}\r\n\r\n{body}"),
        format!("{head}content-length: +{length}\r\n\r\n{body}"),
        format!("{head}content-length : {length}\r\n\r\n{body}"),
        format!("{head}content-length:\x0b{length}\r\n\r\n{body}"),
        format!("{sized}\r\n{body}").replace("\r\n", "\n"),
        format!("{sized}\n{body}"),
        format!("{sized}\r\n{body}").replacen("host: x\r\n", "host: x\n", 1),
        format!("{sized}\r\n{body}").replacen("host: x\r\n", "host: x\r\n y\r\n", 1),
        format!("{sized}\r\n{body}").replacen("host: x\r\n", "host: x\r\nx: a\0b\r\n", 1),
        format!("{sized}\r\n{body}").replacen("host: x\r\n", "host: x\r\nx: a\rb\r\n", 1),
        format!("{sized}\r\n{body}").replacen("host: x\r\n", "host: x\r\nhost: y\r\n", 1),
        format!("{chunked}\r\n{length:x};a=b\r\n{body}\r\n0\r\n\r\n"),
        format!("{chunked}\r\n{length:x}; a=\"\n{SMUGGLED}\r\n{body}\r\n0\r\n\r\n"),
        format!("{chunked}\r\n{length:x}\n{body}\r\n0\r\n\r\n"),
        format!("{chunked}\r\n+{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{chunked}\r\n0x{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{chunked}\r\n {length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{chunked}\r\n{length:x}\r\n{body}0\r\n\r\n"),
        format!("{chunked}\r\n{length:x}\r\n{body}\r\n0\r\ncontent-length: 1\r\n\r\n"),
    ];
    assert_eq!(statuses(&said_then_closed(&world, &good).await), ["200", "200"], "what is right is answered");
    for flaw in &flaws {
        let alone = format!("{flaw}{SMUGGLED}");
        let pipelined = format!("{sized}\r\n{body}{chunked}\r\n{chunks}{alone}");
        for at_once in [alone.len(), 1] {
            let said = said(&world, alone.as_bytes(), at_once).await;
            assert_eq!(statuses(&said), ["400"], "{flaw:?} with {at_once} bytes at once: {said}");
        }
        let said = said(&world, pipelined.as_bytes(), pipelined.len()).await;
        assert_eq!(statuses(&said), ["200", "200", "400"], "{flaw:?} after others: {said}");
    }
    assert!(world.metrics().await.contains("connections_ended_total{kind=\"malformed\"}"));
}

/// Sends good requests, the last of which asks for the end.
async fn said_then_closed(world: &World, good: &str) -> String {
    let (first, last) = good.rsplit_once("host: x\r\n").unwrap();
    let closing = format!("{first}host: x\r\nconnection: close\r\n{last}");
    said(world, closing.as_bytes(), closing.len()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lengths_are_refused_in_http2_too() {
    let world = World::new().await;
    let mut peer = Raw::connect(world.running.addresses()[0], 65_535).await;
    for (stream, second) in [(1, "2"), (3, "3")] {
        let head = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/v1/chat/completions"),
            (":authority", "x"),
            ("content-length", "2"),
            ("content-length", second),
        ];
        peer.send(&frames::frame(HEADERS, END_HEADERS, stream, &frames::block(&head))).await;
        peer.send(&frames::frame(DATA, END_STREAM, stream, b"{}")).await;
    }
    let (mut said, mut reset) = (String::new(), false);
    while said.is_empty() || !reset {
        let frame = peer.next().await.expect("both are answered");
        match (frame.kind, frame.stream) {
            (DATA, 1) => said.push_str(&String::from_utf8_lossy(&frame.payload)),
            // Of two that differ, the protocol's own rules say enough.
            (RST_STREAM, 3) => reset = true,
            _ => {}
        }
    }
    assert!(said.contains("could not read the body"), "{said}");
}
