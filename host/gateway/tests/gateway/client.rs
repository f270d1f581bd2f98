//! A client that shows everything it gets.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

#[derive(Clone)]
pub struct Client {
    inner: Legacy<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The code of a denial, as the header says it.
    pub fn code(&self) -> &str {
        self.headers.get("x-cedargate-code").map_or("", |code| code.to_str().unwrap())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        let inner = Legacy::builder(TokioExecutor::new()).build_http();
        Self { inner, address }
    }

    /// The same over HTTP/2.
    pub fn http2(address: SocketAddr) -> Self {
        Self { inner: Legacy::builder(TokioExecutor::new()).http2_only(true).build_http(), address }
    }

    pub fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(body.to_owned().into())).unwrap()
    }

    pub async fn open(&self, request: Request<Full<Bytes>>) -> http::Response<Incoming> {
        self.inner.request(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        let (parts, body) = self.open(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str, secret: &str) -> Reply {
        self.send(self.request(Method::GET, path, &[("authorization", &format!("Bearer {secret}"))], "")).await
    }

    pub async fn post(&self, path: &str, secret: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {secret}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(self.request(Method::POST, path, &headers, &body.to_string())).await
    }

    /// OpenAI's chat.
    pub async fn chat(&self, secret: &str, model: &str) -> Reply {
        self.post("/v1/chat/completions", secret, &chat(model)).await
    }
}

pub fn chat(model: &str) -> Value {
    serde_json::json!({"model": model, "messages": [{"role": "user", "content": "one two three"}], "max_tokens": 10})
}
