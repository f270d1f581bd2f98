//! Clients that want to keep what is not theirs: connections, streams, memory, descriptors.
//!
//! `CEDARGATE_SOAK=long` makes floods as large as those that close a gateway without limits.

use std::path::Path;
use std::time::Duration;

use cedargate_gateway::config::Config;
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{Client, chat};
use crate::frames::{self, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, Raw};
use crate::provider::{self, Provider};
use crate::world::{PATIENCE, World, mistyped, text, until};

/// Short waits, so that a test sees them end.
const SHORT: &str = "[timeouts]\ndecision_ms = 20000\nwrite_ms = 400\nreply_ms = 400\n";

/// Bytes that a flood may leave behind at most: allocators keep some of what was free once.
const LEFT_BYTES_MAX: u64 = 96 << 20;

fn is_long() -> bool {
    std::env::var_os("CEDARGATE_SOAK").is_some_and(|size| size == "long")
}

/// Bytes that the process has in memory, its own clients included.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
}

fn ended(kind: &str) -> String {
    format!("cedargate_gateway_connections_ended_total{{kind=\"{kind}\"}}")
}

/// A number of the metrics.
async fn number(world: &World, name: &str) -> u64 {
    let metrics = world.metrics().await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {metrics}"));
    line.trim().parse().unwrap()
}

/// Waits until the one who asks for metrics is alone.
async fn all_are_gone(world: &World) {
    until("all connections are gone", || async { number(world, "cedargate_gateway_connections ").await <= 1 }).await;
}

/// A provider that streams without end.
async fn endless(part: usize, every: Duration) -> Provider {
    Provider::doing(move |mut stream, _| async move {
        let mut reply = provider::STREAM_HEAD.to_owned();
        while stream.write_all(reply.as_bytes()).await.is_ok() {
            reply = provider::chunk(&format!("data: {}\n\n", "x".repeat(part)));
            tokio::time::sleep(every).await;
        }
    })
    .await
}

fn streamed(model: &str) -> String {
    let mut body = chat(model);
    body["stream"] = json!(true);
    body.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_no_window_admits_does_not_hold_the_connection() {
    // All come from one address here.
    let config = text(SHORT).replace("consumer_group = \"web\"", "connections_per_peer = 0");
    let config = Config::parse(&config, "gateway.toml", Path::new("")).unwrap_or_else(|error| panic!("{error}"));
    let world = World::started(config, |_| {}).await;
    let sockets = if is_long() { 9_000 } else { 50 };
    let mut peers = Vec::new();
    for _ in 0..sockets {
        let mut peer = Raw::connect(world.running.addresses()[0], 0).await;
        peer.send(&frames::get(1, "/v1/models")).await;
        peers.push(peer);
    }
    assert_eq!(world.admin.get("/readyz", "-").await.status, StatusCode::OK);
    for peer in &mut peers {
        peer.rest().await;
    }
    assert!(number(&world, &ended("stalled")).await > 0);
    all_are_gone(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_busy_otherwise_does_not_hold_it_either() {
    let world = World::with(SHORT).await;
    // Each keeps the socket busy in another way, and none takes its reply.
    let pings = |_: u32| frames::frame(PING, 0, 0, b"12345678");
    let connection_windows = |_: u32| frames::window_update(0, 1);
    let new_requests = |n: u32| frames::get(3 + 2 * n, "/v1/models");
    let probes = |n: u32| frames::get(3 + 2 * n, "/");
    let games: [&dyn Fn(u32) -> Vec<u8>; 4] = [&pings, &connection_windows, &new_requests, &probes];
    for (game, busy) in games.iter().enumerate() {
        // One byte is enough for the whole reply to be handed over, with nobody left who waits for the rest.
        for first_bytes in [0, 1] {
            let mut peer = Raw::connect(world.running.addresses()[0], first_bytes).await;
            peer.send(&frames::get(1, "/v1/models")).await;
            let gone = async {
                for n in 0.. {
                    if !peer.send(&busy(n)).await || matches!(peer.soon().await, Ok(None)) {
                        return;
                    }
                }
            };
            let gone = tokio::time::timeout(PATIENCE, gone).await;
            assert!(gone.is_ok(), "game {game} with a window of {first_bytes} holds the connection");
        }
    }
    all_are_gone(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_in_does_not_hold_the_connection() {
    let world = World::with(&format!("{SHORT}body_ms = 300\nheader_ms = 2000\n")).await;
    let secret = world.secret("app").await;
    // Whoever takes the refusal, and whoever does not.
    for window in [0, 65_535] {
        let mut peer = Raw::connect(world.running.addresses()[0], window).await;
        let bearer = format!("Bearer {secret}");
        let head = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/v1/chat/completions"),
            (":authority", "x"),
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        peer.send(&frames::frame(HEADERS, END_HEADERS, 1, &frames::block(&head))).await;
        let gone = async {
            // Some bytes now and then: each alone would be in time.
            while peer.send(&frames::frame(DATA, 0, 1, b" ")).await && !matches!(peer.soon().await, Ok(None)) {}
        };
        assert!(tokio::time::timeout(PATIENCE, gone).await.is_ok(), "with a window of {window}");
    }
    all_are_gone(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_nobody_takes_is_given_up_and_others_come_to_their_end() {
    let flood = endless(10_000, Duration::from_millis(1)).await;
    let slow = Provider::doing(|mut stream, _| async move {
        let mut reply = provider::STREAM_HEAD.to_owned();
        for n in 0..40 {
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
            reply = provider::chunk(&format!("data: {n}\n\n"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let _ = stream.write_all(format!("{}0\r\n\r\n", provider::chunk("data: [DONE]\n\n")).as_bytes()).await;
    })
    .await;
    let table = |id: &str, provider: &Provider| {
        format!("[providers.{id}]\ndialect = \"openai\"\nbase_url = \"http://{}/v1\"\n", provider.address)
    };
    let models = "[[models]]\nid = \"flood/f\"\n[[models]]\nid = \"slow/s\"\n";
    let world = World::with(&format!("{}{}{models}{SHORT}", table("flood", &flood), table("slow", &slow))).await;
    let secret = world.secret("app").await;
    let mut peer = Raw::connect(world.running.addresses()[0], 1_000).await;
    peer.send(&frames::post(1, "/v1/chat/completions", &secret, &streamed("f"))).await;
    peer.send(&frames::post(3, "/v1/chat/completions", &secret, &streamed("s"))).await;
    let mut taken = Vec::new();
    let (mut reset, mut goes_away) = (false, false);
    while let Some(frame) = peer.next().await {
        match (frame.kind, frame.stream) {
            (RST_STREAM, 1) => reset = true,
            (GOAWAY, _) => goes_away = true,
            (DATA, 3) => {
                taken.extend_from_slice(&frame.payload);
                peer.send(&frames::window_update(3, 1_000)).await;
                if frame.flags & END_STREAM != 0 {
                    break;
                }
            }
            (PING, _) if frame.flags == 0 => {
                peer.send(&frames::frame(PING, frames::ACK, 0, &frame.payload)).await;
            }
            _ => {}
        }
    }
    assert!(String::from_utf8_lossy(&taken).ends_with("data: [DONE]\n\n"), "the other stream was cut");
    assert!(reset && goes_away, "reset: {reset}, goes away: {goes_away}");
    drop(peer);
    until("nothing is under way", || async { number(&world, "cedargate_gateway_requests_in_flight ").await <= 1 })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_the_system_still_buffers_for_is_given_up() {
    let provider = endless(2_000, Duration::from_millis(5)).await;
    let world = World::with(&format!("{}{SHORT}", provider::tables(&provider))).await;
    let secret = world.secret("sleeper").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2_048).unwrap();
    let mut stream = socket.connect(world.running.addresses()[0]).await.unwrap();
    let body = streamed("m");
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    world.event("sleeper", |event| event.status == 200).await;
    until("it is gone", || async { number(&world, "cedargate_gateway_requests_in_flight ").await <= 1 }).await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_resets_and_of_continuations_end_the_connection_and_leave_nothing() {
    let world = World::with("").await;
    let address = world.running.addresses()[0];
    let before = resident_bytes();
    let mut peer = Raw::connect(address, 65_535).await;
    let most = if is_long() { 1_000_000 } else { 200_000 };
    let mut sent = 0_u32;
    while sent < most {
        let mut burst = Vec::new();
        for _ in 0..100 {
            let stream = 1 + 2 * sent;
            burst.extend(frames::get(stream, "/v1/models"));
            burst.extend(frames::frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            sent += 1;
        }
        if !peer.send(&burst).await {
            break;
        }
    }
    assert!(sent < most, "the gateway works for nobody");

    let mut peer = Raw::connect(address, 65_535).await;
    let head = frames::block(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "x")]);
    peer.send(&frames::frame(HEADERS, END_STREAM, 1, &head)).await;
    let more = frames::block(&[("x-padding", "x".repeat(120).as_str()); 100]);
    let mut sent = 0;
    while sent < 10_000 && peer.send(&frames::frame(CONTINUATION, 0, 1, &more)).await {
        sent += 1;
    }
    assert!(sent < 10_000, "a head has no end");
    let mut peer = Raw::connect(address, 65_535).await;
    peer.send(&frames::frame(HEADERS, END_STREAM, 1, &head)).await;
    // Nothing in them, so that no limit of bytes is met.
    let mut sent = 0;
    while sent < 1_000_000 && peer.send(&frames::frame(CONTINUATION, 0, 1, &[]).repeat(100)).await {
        sent += 100;
    }
    assert!(sent < 1_000_000, "a head has no end");
    peer.send(&frames::frame(CONTINUATION, END_HEADERS, 1, &[])).await;
    drop(peer);
    all_are_gone(&world).await;
    let after = resident_bytes();
    assert!(after < before + LEFT_BYTES_MAX, "{before} bytes before, {after} after");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_peer_has_so_many_connections_and_a_trusted_proxy_as_many_as_it_likes() {
    let listeners = "[{ address = \"127.0.0.1:0\", connections_per_peer = 3 }, \
                     { address = \"127.0.0.1:0\", connections_per_peer = 3, trusted_proxies = [\"127.0.0.1\"] }, \
                     { address = \"127.0.0.1:0\", connections_per_peer = 0 }]";
    let text =
        format!("listeners = {listeners}\nadmin = {{ address = \"127.0.0.1:0\" }}\n[timeouts]\ndecision_ms = 20000\n");
    let config = Config::parse(&text, "gateway.toml", Path::new("")).unwrap();
    let world = World::started(config, |_| {}).await;
    let [bounded, behind_proxy, free] = *world.running.addresses() else { panic!("three listeners") };
    let mut held = Vec::new();
    for address in [bounded, behind_proxy, free] {
        for _ in 0..3 {
            held.push(TcpStream::connect(address).await.unwrap());
        }
    }
    let fourth = |address| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut bytes = vec![0; 1_024];
        let read =
            tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.expect("it is neither served nor closed");
        read.map_or(String::new(), |read| String::from_utf8_lossy(&bytes[..read]).into_owned())
    };
    assert_eq!(fourth(bounded).await, "");
    assert!(fourth(behind_proxy).await.starts_with("HTTP/1.1"));
    assert!(fourth(free).await.starts_with("HTTP/1.1"));
    assert_eq!(number(&world, &ended("peer_limit")).await, 1);
    held.clear();
    until("there are places again", || async { fourth(bounded).await.starts_with("HTTP/1.1") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_address_answers_while_listeners_are_full() {
    let world = World::with("[limits]\nconnections = 2\n").await;
    let address = world.running.addresses()[0];
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    for _ in 0..3 {
        // Each on a connection of its own.
        let admin = Client::new(world.running.admin_address().unwrap());
        assert_eq!(admin.get("/healthz", "-").await.status, StatusCode::OK);
    }
    assert!(number(&world, "cedargate_gateway_connections ").await <= 2 + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_nobody_has_leave_nothing_behind() {
    let world = World::with("").await;
    let secret = mistyped(&world.secret("app").await);
    let count: usize = if is_long() { 100_000 } else { 3_000 };
    let wave = |from: usize, to: usize| {
        let (world, secret) = (&world, &secret);
        async move {
            for n in from..to {
                // As many characters as a secret has, and never the same.
                let tail = format!("{n:012x}");
                let unknown = format!("{}{tail}", &secret[..secret.len() - tail.len()]);
                let reply = world.client.get("/v1/models", &unknown).await;
                assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
            }
        }
    };
    wave(0, count / 10).await;
    let before = resident_bytes();
    wave(count / 10, count).await;
    let after = resident_bytes();
    assert!(after < before + LEFT_BYTES_MAX, "{before} bytes before, {after} after");
    assert_eq!(world.events().await.len(), 0, "and they tell nothing that the store keeps");
}
