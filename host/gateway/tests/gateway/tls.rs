//! TLS on both sides: listeners with certificates, and providers that show their own, ask for one, or stand behind a
//! proxy.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cedargate_gateway::config::Config;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::provider::{self, Provider};
use crate::world::{PATIENCE, World, text, until};

/// The certificates that `make` in this folder made.
fn made(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

fn chain(name: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(&fs::read(made(&format!("{name}.pem"))).unwrap()).collect::<Result<_, _>>().unwrap()
}

fn key(name: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(&fs::read(made(&format!("{name}.key"))).unwrap()).unwrap()
}

fn roots(name: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in chain(name) {
        roots.add(certificate).unwrap();
    }
    roots
}

fn crypto() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

type Tls = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that trusts our authority, and shows this certificate where it has one.
fn client(shown: Option<&str>, http2: bool) -> Tls {
    let builder = ClientConfig::builder_with_provider(crypto()).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots("ours"));
    let config = match shown {
        Some(name) => builder.with_client_auth_cert(chain(name), key(name)).unwrap(),
        None => builder.with_no_client_auth(),
    };
    let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_only();
    let connector = if http2 { connector.enable_http2().build() } else { connector.enable_http1().build() };
    Client::builder(TokioExecutor::new()).http2_only(http2).build(connector)
}

/// Asks for the models: the version that was spoken, the status and the body, or why there is no answer.
async fn ask(client: &Tls, address: SocketAddr, secret: &str) -> Result<(Version, StatusCode), String> {
    let url = format!("https://localhost:{}/v1/models", address.port());
    let request = Request::get(url).header("authorization", format!("Bearer {secret}")).body(Full::default()).unwrap();
    let response = tokio::time::timeout(PATIENCE, client.request(request)).await.expect("nobody answers");
    let response = response.map_err(|error| format!("{error:?}"))?;
    let answer = (response.version(), response.status());
    response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok(answer)
}

fn tls_table(folder: &Path, client_ca: Option<&str>) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    let client_ca = client_ca.map_or(String::new(), |name| format!(", client_ca_file = {:?}", file(name)));
    format!("{{ cert_file = {:?}, key_file = {:?}{client_ca} }}", file("server.pem"), file("server.key"))
}

fn with_listener_tls(tls: &str) -> String {
    text("").replace("consumer_group = \"web\"", &format!("consumer_group = \"web\", tls = {tls}"))
}

async fn world(text: &str) -> World {
    let config = Config::parse(text, "gateway.toml", Path::new("")).unwrap_or_else(|error| panic!("{error}"));
    World::started(config, |_| {}).await
}

/// The certificate that somebody shows at an address.
async fn shown(address: SocketAddr) -> CertificateDer<'static> {
    let config = ClientConfig::builder_with_provider(crypto()).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots("ours")).with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let (_, connection) = stream.get_ref();
    connection.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_speaks_http1_and_http2_inside_of_tls_and_nothing_outside() {
    let world = world(&with_listener_tls(&tls_table(&made(""), None))).await;
    let secret = world.secret("app").await;
    let address = world.running.addresses()[0];
    assert_eq!(ask(&client(None, false), address, &secret).await, Ok((Version::HTTP_11, StatusCode::OK)));
    assert_eq!(ask(&client(None, true), address, &secret).await, Ok((Version::HTTP_2, StatusCode::OK)));
    let mut clear = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\r\n");
    clear.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, clear.read_to_end(&mut said)).await.expect("it is kept");
    assert!(!said.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&said));
    assert!(world.metrics().await.contains("connections_ended_total{kind=\"handshake\"} 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let text = with_listener_tls(&tls_table(&made(""), None)).replace("[timeouts]", "[timeouts]\nheader_ms = 300");
    let world = world(&text).await;
    let mut silent = TcpStream::connect(world.running.addresses()[0]).await.unwrap();
    let mut said = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut said)).await.expect("it is waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_of_the_named_authority_are_served_where_one_is_named() {
    let tls = tls_table(&made(""), Some("ours.pem"));
    let text = format!("{}control = {{ address = \"127.0.0.1:0\", tls = {tls} }}\n", "");
    let text = format!("{text}{}", with_listener_tls(&tls));
    let world = world(&text).await;
    let secret = world.secret("app").await;
    for address in [world.running.addresses()[0], world.running.control_address().unwrap()] {
        for http2 in [false, true] {
            assert!(ask(&client(Some("client"), http2), address, &secret).await.is_ok());
            assert!(ask(&client(None, http2), address, &secret).await.is_err(), "nothing was shown");
            assert!(ask(&client(Some("client-foreign"), http2), address, &secret).await.is_err(), "of others");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_in_force_once_its_files_are_and_a_bad_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let put = |from: &str| {
        for end in ["pem", "key"] {
            fs::copy(made(&format!("{from}.{end}")), folder.path().join(format!("server.{end}"))).unwrap();
        }
    };
    put("server");
    let file = folder.path().join("gateway.toml");
    fs::write(&file, with_listener_tls(&tls_table(folder.path(), None))).unwrap();
    let world = World::of_file(&file).await;
    let address = world.running.addresses()[0];
    assert_eq!(shown(address).await, chain("server")[0]);

    put("server-next");
    until("the change is noticed", || async { shown(address).await == chain("server-next")[0] }).await;

    fs::copy(made("client.key"), folder.path().join("server.key")).unwrap();
    let refused = world.running.reload().await.unwrap_err().to_string();
    assert!(refused.contains("server.pem") && refused.contains("must belong together"), "{refused}");
    fs::write(folder.path().join("server.key"), "-----BEGIN PRIVATE KEY-----\nsecret\n").unwrap();
    let refused = world.running.reload().await.unwrap_err().to_string();
    assert!(refused.contains("server.key") && !refused.contains("BEGIN"), "{refused}");
    assert_eq!(shown(address).await, chain("server-next")[0], "what was in force stays in force");

    put("server");
    world.running.reload().await.unwrap();
    assert_eq!(shown(address).await, chain("server")[0]);
}

/// A provider that speaks TLS with our server's certificate, and counts the requests that it got to read.
async fn tls_provider(asks_for: Option<&str>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let builder = ServerConfig::builder_with_provider(crypto()).with_safe_default_protocol_versions().unwrap();
    let builder = match asks_for {
        Some(name) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(name)), crypto()).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain("server"), key("server")).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, noted) = (acceptor.clone(), Arc::clone(&noted));
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut bytes = vec![0; 16_384];
                let read = stream.read(&mut bytes).await.unwrap_or(0);
                noted.lock().unwrap().push(String::from_utf8_lossy(&bytes[..read]).into_owned());
                let _ = stream.write_all(provider::chat(1, 1).as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, seen)
}

/// A gateway with one provider that is reached so, and what it answers to a chat.
async fn through(base_url: &str, reach: &str) -> (StatusCode, World) {
    let tables = format!(
        "[providers.fake]\ndialect = \"openai\"\nbase_url = \"{base_url}\"\n{reach}\n[[models]]\nid = \"fake/m\"\n\
         price = {{ input = 1.0, output = 2.0 }}\n"
    );
    let world = World::with(&tables).await;
    let secret = world.secret("app").await;
    (world.client.chat(&secret, "m").await.status, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_an_authority_of_its_own_is_reached_where_that_is_named() {
    let (address, seen) = tls_provider(Some("ours")).await;
    let url = format!("https://localhost:{}/v1", address.port());
    let ca = format!("ca_file = {:?}", made("ours.pem"));
    let own = |name: &str| {
        let (cert, key) = (made(&format!("{name}.pem")), made(&format!("{name}.key")));
        format!("cert_file = {cert:?}\ncert_key_file = {key:?}")
    };
    assert_eq!(through(&url, "").await.0, StatusCode::BAD_GATEWAY, "no public authority knows it");
    assert_eq!(through(&url, &format!("ca_file = {:?}", made("foreign.pem"))).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(through(&url, &ca).await.0, StatusCode::BAD_GATEWAY, "it asks for a certificate");
    assert_eq!(through(&url, &format!("{ca}\n{}", own("client-foreign"))).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(seen.lock().unwrap().len(), 0, "nothing was said before");
    assert_eq!(through(&url, &format!("{ca}\n{}", own("client"))).await.0, StatusCode::OK);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

/// A proxy that connects to whatever it is asked for by those who know its password, and notes what it was asked.
async fn proxy() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let noted = Arc::clone(&noted);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                let head = String::from_utf8(head).unwrap();
                noted.lock().unwrap().push(head.clone());
                // `egress:open sesame`
                if !head.contains("Proxy-Authorization: Basic ZWdyZXNzOm9wZW4gc2VzYW1l\r\n") {
                    let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
                    return;
                }
                let to = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
                let mut to = TcpStream::connect(to).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut to).await;
            });
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_behind_a_proxy_are_asked_for_by_connect_whether_they_speak_tls_or_not() {
    let (proxy, asked) = proxy().await;
    let folder = tempfile::tempdir().unwrap();
    let auth = folder.path().join("auth");
    fs::write(&auth, "egress:open sesame\n").unwrap();
    let reach = format!("proxy = \"http://{proxy}\"\nproxy_auth_file = {:?}", auth);

    let clear = Provider::saying(provider::chat(1, 1)).await;
    let (status, _world) = through(&format!("http://{}/v1", clear.address), &reach).await;
    assert_eq!(status, StatusCode::OK);
    assert!(clear.requests()[0].head.starts_with("POST /v1/chat/completions "));
    assert!(clear.requests()[0].header("proxy-authorization").is_none(), "that is the proxy's");

    let (address, seen) = tls_provider(None).await;
    let url = format!("https://localhost:{}/v1", address.port());
    let ca = format!("{reach}\nca_file = {:?}", made("ours.pem"));
    assert_eq!(through(&url, &ca).await.0, StatusCode::OK);
    assert!(seen.lock().unwrap()[0].starts_with("POST /v1/chat/completions "));
    let lines: Vec<String> = asked.lock().unwrap().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines[0], format!("CONNECT {} HTTP/1.1", clear.address));
    assert_eq!(lines[1], format!("CONNECT localhost:{} HTTP/1.1", address.port()));

    fs::write(&auth, "egress:wrong").unwrap();
    let (status, world) = through(&url, &ca).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    let shown = format!("{:?}", world.running.config());
    assert!(!shown.contains("wrong") && !shown.contains("sesame"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_variable_of_the_environment_chooses_a_proxy_and_a_silent_one_is_not_waited_for() {
    let silent = Provider::doing(|stream, _| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let reach = format!("proxy = \"http://{}\"\n[timeouts]\ndecision_ms = 20000\nconnect_ms = 200\n", silent.address);
    let (status, _world) = through("https://api.example/v1", &reach).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
}

#[test]
fn what_is_open_to_others_is_said_and_loopback_is_not() {
    let said = |text: &str| {
        let config = Config::parse(text, "gateway.toml", Path::new("")).unwrap_or_else(|error| panic!("{error}"));
        config.exposures().join("\n")
    };
    let open = "
        listeners = [{ address = \"0.0.0.0:1\" }, { address = \"[::]:2\" }, { address = \"127.0.0.1:3\" }]
        admin = { address = \"192.0.2.1:4\" }
        control = { address = \"0.0.0.0:5\" }
        [providers.far]
        dialect = \"openai\"
        base_url = \"http://api.example/v1\"
        [providers.here]
        dialect = \"openai\"
        base_url = \"http://localhost:11434/v1\"
        [providers.safe]
        dialect = \"openai\"
        base_url = \"https://api.example/v1\"
    ";
    let text = said(open);
    for part in ["`0.0.0.0:1` in clear text", "`[::]:2`", "`/metrics`", "`192.0.2.1:4`", "`0.0.0.0:5`", "`far`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in ["127.0.0.1:3", "`here`", "`safe`"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    let tls = tls_table(&made(""), Some("ours.pem"));
    let closed = open
        .replace("0.0.0.0:1\"", &format!("0.0.0.0:1\", tls = {tls}"))
        .replace("[::]:2\"", &format!("[::]:2\", tls = {tls}"))
        .replace("192.0.2.1:4\"", &format!("192.0.2.1:4\", tls = {tls}"))
        .replace("0.0.0.0:5\"", &format!("0.0.0.0:5\", tls = {tls}"))
        .replace("http://api", "https://api");
    assert_eq!(said(&closed), "");
    assert_eq!(said(""), "", "what runs without a file");
}

#[test]
fn what_cannot_be_meant_is_a_mistake_with_a_cure() {
    let mistakes = |table: &str| {
        let text = format!("[providers.p]\ndialect = \"openai\"\n{table}\n");
        Config::parse(&text, "gateway.toml", Path::new("")).unwrap_err().to_string()
    };
    let https = "base_url = \"https://x/v1\"\n";
    for (table, part) in [
        ("base_url = \"http://x/v1\"\nca_file = \"ca.pem\"", "not reached by TLS"),
        (&format!("{https}cert_file = \"a.pem\""), "two files"),
        (&format!("{https}proxy = \"http://me:hunter2@proxy:3128\""), "proxy_auth_env"),
        (&format!("{https}proxy = \"https://proxy:3128\""), "`http://`"),
        (&format!("{https}proxy = \"http://proxy\""), "no port"),
        (&format!("{https}proxy_auth_env = \"X\""), "without a proxy"),
    ] {
        let said = mistakes(table);
        assert!(said.contains(part) && !said.contains("hunter2"), "{part}: {said}");
    }
}
