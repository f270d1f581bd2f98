//! What authorization costs at the gateway: the same proxy with it and without it, in alternating runs of `wrk`.
//!
//! `cargo run --release -p cedargate-gateway --features bench-open --example load -- [SECONDS] [ROUNDS]`
//!
//! Once with as many requests as the machine can take, and once with pauses between those of a connection: what a
//! request waits for itself, and not for others.
#![expect(clippy::print_stdout, reason = "a tool prints its table")]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use cedargate_gateway::config::Config;
use cedargate_gateway::{Options, start};
use cedargate_tokens::{Actor, Clock, Grant, NewToken, Skew, SqliteOptions, SqliteStore, Store, Tokens};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mimalloc::MiMalloc;

/// As `kt` has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Tokens in use.
const TOKENS: usize = 10_000;

/// Connections of the load generator.
const CONNECTIONS: u32 = 32;

/// Bytes of a request's body.
const BODY_BYTES: usize = 1_024;

/// Between two requests of a connection that pauses, in milliseconds: from this to that.
const PAUSE_MS: (u32, u32) = (20, 60);

const MODEL: &str = "m";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["upstream"] => runtime()?.block_on(upstream()),
        ["gateway", mode, store, upstream] => {
            runtime()?.block_on(gateway(*mode == "off", Path::new(store), upstream.parse()?))
        }
        [] => measure(10, 5),
        [seconds, rounds] => measure(seconds.parse()?, rounds.parse()?),
        _ => bail!("usage: load [SECONDS ROUNDS]"),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Says where it listens, and lives as long as its standard input.
fn announce(address: SocketAddr) -> anyhow::Result<()> {
    println!("{address}");
    std::io::stdout().flush()?;
    let mut line = String::new();
    // Ends when whoever started this ends.
    std::io::stdin().read_line(&mut line)?;
    Ok(())
}

/// A provider that does nothing: it reads a request and answers with a small reply, over connections that are kept.
async fn upstream() -> anyhow::Result<()> {
    let reply = Bytes::from_static(
        br#"{"id":"x","object":"chat.completion","created":0,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}"#,
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A connection that cannot be tuned still works.
            let _ = stream.set_nodelay(true);
            let reply = reply.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let reply = reply.clone();
                async move {
                    // What was not read would close the connection.
                    let _ = request.into_body().collect().await;
                    let mut response = Response::new(Full::new(reply));
                    let json = http::HeaderValue::from_static("application/json");
                    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    tokio::task::spawn_blocking(move || announce(address)).await?
}

async fn gateway(open: bool, store: &Path, upstream: SocketAddr) -> anyhow::Result<()> {
    let text = format!(
        "listeners = [{{ address = \"127.0.0.1:0\" }}]\nadmin = {{ enabled = false }}\n\
         [providers.fake]\ndialect = \"openai\"\nbase_url = \"http://{upstream}/v1\"\n\
         [[models]]\nid = \"fake/{MODEL}\"\nprice = {{ input = 1.0, output = 1.0 }}\n"
    );
    let config = Config::parse(&text, "load", Path::new(""))?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(store, SqliteOptions::default()).await?);
    let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await?);
    let mut options = Options::new(config, store, clock);
    options.open = open;
    let running = start(options).await?;
    let address = *running.addresses().first().context("no address")?;
    tokio::task::spawn_blocking(move || announce(address)).await??;
    running.shutdown().await;
    Ok(())
}

/// A part of the bench in a process of its own.
struct Role {
    child: Child,
    /// Closed, it ends the process.
    _stdin: ChildStdin,
    address: SocketAddr,
}

impl Role {
    fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().context("no stdin")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("`{arguments:?}` did not start"))?;
        Ok(Self { child, _stdin: stdin, address })
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one run of the load generator said.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

fn measure(seconds: u32, rounds: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (on_store, off_store) = (folder.path().join("on.db"), folder.path().join("off.db"));
    let secrets = runtime()?.block_on(mint(&on_store))?;
    let (full, paced) = (script(folder.path(), &secrets, false)?, script(folder.path(), &secrets, true)?);
    let path = |path: &PathBuf| path.display().to_string();
    let upstream = Role::start(&["upstream"])?;
    let to = upstream.address.to_string();
    let on = Role::start(&["gateway", "on", &path(&on_store), &to])?;
    let off = Role::start(&["gateway", "off", &path(&off_store), &to])?;
    for role in [&on, &off] {
        // The first requests prepare principals and open connections.
        wrk(role.address, &full, seconds.min(5))?;
    }
    println!("{TOKENS} tokens, {CONNECTIONS} connections, bodies of {BODY_BYTES} bytes");
    for (title, script) in [("as many as it takes", &full), ("with pauses", &paced)] {
        println!("{title}:\nround   off: requests/s  p50 µs  p99 µs    on: requests/s  p50 µs  p99 µs");
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for round in 1..=rounds {
            let (off, on) = (wrk(off.address, script, seconds)?, wrk(on.address, script, seconds)?);
            show(&format!("{round:>5}"), off, on);
            without.push(off);
            with.push(on);
        }
        let (off, on) = (median(&without), median(&with));
        show("  mid", off, on);
        println!(
            "throughput {:+.1} %, p50 {:+.0} µs, p99 {:+.0} µs",
            (on.per_second / off.per_second - 1.0) * 100.0,
            on.p50_us - off.p50_us,
            on.p99_us - off.p99_us
        );
    }
    Ok(())
}

fn show(title: &str, off: Run, on: Run) {
    println!(
        "{title} {:>17.0} {:>7.0} {:>7.0} {:>17.0} {:>7.0} {:>7.0}",
        off.per_second, off.p50_us, off.p99_us, on.per_second, on.p50_us, on.p99_us
    );
}

fn median(runs: &[Run]) -> Run {
    let of = |value: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Run { per_second: of(|run| run.per_second), p50_us: of(|run| run.p50_us), p99_us: of(|run| run.p99_us) }
}

async fn mint(store: &Path) -> anyhow::Result<Vec<String>> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(store, SqliteOptions::default()).await?);
    let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await?);
    let tokens = Tokens::new(store, clock, Actor::new("load")?);
    let mut secrets = Vec::with_capacity(TOKENS);
    for n in 0..TOKENS {
        let mut grant = Grant::general();
        grant.bindings.models = Some(vec![MODEL.to_owned(), format!("other-{n}")]);
        secrets.push(tokens.create(NewToken::new(format!("app-{n}"), grant)).await?.secret.expose().to_owned());
    }
    Ok(secrets)
}

/// A script that uses one token after the other, and may pause between two requests of a connection.
fn script(folder: &Path, secrets: &[String], pauses: bool) -> anyhow::Result<PathBuf> {
    let mut body = format!("{{\"model\":\"{MODEL}\",\"messages\":[{{\"role\":\"user\",\"content\":\"");
    let end = "\"}],\"max_tokens\":16}";
    let padding = BODY_BYTES.checked_sub(body.len() + end.len()).context("the body is too small")?;
    body.push_str(&"x".repeat(padding));
    body.push_str(end);
    let mut lua = "local tokens = {\n".to_owned();
    for secret in secrets {
        writeln!(lua, "\"{secret}\",")?;
    }
    write!(
        lua,
        "}}\nlocal body = '{body}'\nlocal n = 0\nlocal threads = 0\nfunction setup(thread)\n  thread:set('first', threads)\n  threads = threads + 1\nend\nfunction init(args)\n  n = first * 5003\nend\n\
         function request()\n  n = n + 1\n  return wrk.format('POST', '/v1/chat/completions', {{['Authorization'] = 'Bearer ' .. tokens[n % #tokens + 1], ['Content-Type'] = 'application/json'}}, body)\nend\n\
         function done(summary, latency, requests)\n  local errors = summary.errors\n  io.write(string.format('RESULT %f %f %f %d\\n', summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99), errors.connect + errors.read + errors.write + errors.status + errors.timeout))\nend\n"
    )?;
    if pauses {
        let (least, most) = PAUSE_MS;
        writeln!(lua, "function delay() return math.random({least}, {most}) end")?;
    }
    let path = folder.join(if pauses { "paced.lua" } else { "full.lua" });
    fs::write(&path, lua)?;
    Ok(path)
}

fn wrk(address: SocketAddr, script: &Path, seconds: u32) -> anyhow::Result<Run> {
    let output = Command::new("wrk")
        .args(["-t", "1", "-c", &CONNECTIONS.to_string(), "-d", &format!("{seconds}s"), "--latency", "-s"])
        .arg(script)
        .arg(format!("http://{address}/"))
        .output()
        .context("`wrk` cannot be run: install it, on Debian with `apt-get install wrk`")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find_map(|line| line.strip_prefix("RESULT ")).with_context(|| said.to_string())?;
    let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [per_second, p50_us, p99_us, errors] = numbers.as_slice() else { bail!("`wrk` said {line}") };
    ensure!(*errors == 0.0, "{errors} requests failed:\n{said}");
    Ok(Run { per_second: *per_second, p50_us: *p50_us, p99_us: *p99_us })
}
