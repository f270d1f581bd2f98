//! A provider that does what the test wants, good or bad, byte by byte.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(written, _)| written.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }
}

pub struct Provider {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    /// Answers each connection's first request with these bytes, and closes it.
    pub async fn saying(reply: impl Into<String>) -> Self {
        let reply: Arc<str> = reply.into().into();
        Self::doing(move |mut stream, _| {
            let reply = Arc::clone(&reply);
            async move {
                // A client that is gone needs no answer.
                let _ = stream.write_all(reply.as_bytes()).await;
            }
        })
        .await
    }

    /// Does something with each connection, once its first request was read.
    pub async fn doing<F, W>(act: F) -> Self
    where
        F: Fn(TcpStream, Seen) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (act, noted) = (Arc::new(act), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (act, noted) = (Arc::clone(&act), Arc::clone(&noted));
                tokio::spawn(async move {
                    if let Some(request) = read(&mut stream).await {
                        noted.lock().unwrap().push(request.clone());
                        act(stream, request).await;
                    }
                });
            }
        });
        Self { address, seen, task }
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let seen = Seen { head: head.to_owned(), body: body.to_owned() };
        let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return Some(seen);
        }
    }
}

/// A whole JSON reply, the only one of its connection: the gateway must not ask on one that is about to end.
pub fn json(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A chat with this usage.
pub fn chat(input: u64, output: u64) -> String {
    let body = format!(
        r#"{{"id":"x","object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"hi"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{}}}}}"#,
        input + output
    );
    json("200 OK", &body)
}

/// The head of a stream of events, of unknown length.
pub const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";

/// One chunk of a body.
pub fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// Tables of configuration with one provider of OpenAI's dialect and one model, `m`.
pub fn tables(provider: &Provider) -> String {
    format!(
        "[providers.fake]\ndialect = \"openai\"\nbase_url = \"http://{}/v1\"\n[[models]]\nid = \"fake/m\"\n\
         price = {{ input = 1.0, output = 2.0 }}\n",
        provider.address
    )
}
