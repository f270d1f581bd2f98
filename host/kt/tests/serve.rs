//! `kt serve` as a stranger meets it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn kt(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kt"));
    command.args(arguments).env("NO_COLOR", "1").env_remove("CEDARGATE_STORE");
    command
}

fn output(arguments: &[&str]) -> Output {
    kt(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A gateway in a process of its own.
struct Gateway {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Gateway {
    fn start(arguments: &[&str]) -> Self {
        Self::logging(arguments, "error", Stdio::null())
    }

    /// With a log of this level, there.
    fn logging(arguments: &[&str], level: &str, log: Stdio) -> Self {
        let mut command = kt(arguments);
        command.env("CEDARGATE_LOG", level).env("RUST_BACKTRACE", "full");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// What it says until a line holds this.
    fn says_until(&mut self, mark: &str) -> String {
        let mut said = String::new();
        while !said.contains(mark) {
            assert!(self.stdout.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        said
    }

    /// Ends it as a service manager does, and returns its exit code.
    fn end(self) -> Option<i32> {
        self.end_by("TERM")
    }

    fn end_by(mut self, signal: &str) -> Option<i32> {
        let killed = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn chat(address: &str, secret: &str, model: &str) -> String {
    let body = format!("{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}");
    let head = format!("authorization: Bearer {secret}\r\ncontent-type: application/json");
    ask(address, "POST /v1/chat/completions", &head, &body)
}

fn ask(address: &str, line: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// The word behind another in a text.
fn after<'t>(text: &'t str, mark: &str) -> &'t str {
    let (_, rest) = text.split_once(mark).unwrap_or_else(|| panic!("no `{mark}` in {text}"));
    rest.split_whitespace().next().unwrap()
}

/// The text behind a key of a JSON object in one line.
fn quoted(line: &str, key: &str) -> String {
    let (_, rest) = line.split_once(&format!("\"{key}\":\"")).unwrap_or_else(|| panic!("no `{key}` in {line}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn the_demo_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("demo.db").display().to_string();
    let arguments = ["serve", "--demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", &store];
    let mut gateway = Gateway::start(&arguments);
    let said = gateway.says_until("Ctrl-C");
    let address = after(&said, "listens at http://").trim_end_matches(',').to_owned();
    let (app, scoped, runtime) =
        (after(&said, "demo-app "), after(&said, "demo-scoped "), after(&said, "demo-runtime "));
    assert!(said.contains(&format!("curl -s http://{address}/v1/chat/completions -H 'Authorization: Bearer {app}'")));

    assert!(chat(&address, app, "gpt-4o").starts_with("HTTP/1.1 200"), "an allow");
    let denied = chat(&address, scoped, "gpt-4o");
    assert!(denied.starts_with("HTTP/1.1 403") && denied.contains("model_not_allowed"), "{denied}");
    assert!(chat(&address, scoped, "gpt-4o-mini").starts_with("HTTP/1.1 200"));
    assert!(chat(&address, runtime, "gpt-4o").starts_with("HTTP/1.1 403"));
    let revoked = output(&["tokens", "revoke", "--store", &store, "--name", "demo-app"]);
    assert!(revoked.status.success(), "{}", text(&revoked.stderr));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !chat(&address, app, "gpt-4o").starts_with("HTTP/1.1 401") {
        assert!(std::time::Instant::now() < deadline, "another process's revocation is seen within a second");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let secrets = [app, scoped, runtime].map(str::to_owned);
    assert_eq!(gateway.end(), Some(0));
    let events = output(&["events", "tail", "--store", &store, "--limit", "100"]);
    let lines = text(&events.stdout);
    assert!(lines.contains("INPUT echo chat/completions key:demo-app team:- PASS"), "{lines}");
    assert!(lines.contains("key:demo-scoped"), "{lines}");
    assert!(secrets.iter().all(|secret| !lines.contains(secret.as_str())));

    // The same store again: the tokens are there, and get other secrets.
    let mut again = Gateway::start(&arguments);
    let said = again.says_until("Ctrl-C");
    assert!(secrets.iter().all(|secret| !said.contains(secret.as_str())));
    assert_eq!(again.end(), Some(0));
}

#[test]
fn a_token_is_known_at_once_whichever_process_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tokens.db").display().to_string();
    let arguments = ["serve", "--demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", &store];
    let mut gateway = Gateway::start(&arguments);
    let said = gateway.says_until("Ctrl-C");
    let address = after(&said, "listens at http://").trim_end_matches(',').to_owned();
    for n in 0..10 {
        let created = output(&[
            "tokens",
            "create",
            "--type",
            "access",
            "--store",
            &store,
            "--name",
            &format!("app-{n}"),
            "--output",
            "json",
        ]);
        let key = quoted(&text(&created.stdout), "key");
        let reply = chat(&address, &key, "gpt-4o");
        assert!(reply.starts_with("HTTP/1.1 200"), "{n}: {reply}");
    }
    assert_eq!(gateway.end(), Some(0));
}

/// How many of so many requests at once are answered with 200, each third at the first of two gateways. Where that is
/// told to, the first is killed when the first reply is there.
fn admitted(gateways: [&str; 2], secret: &str, requests: usize, kill: Option<u32>) -> usize {
    let killed = std::sync::Once::new();
    std::thread::scope(|scope| {
        let killed = &killed;
        let ask = move |n: usize| {
            let status = status_of_chat(gateways[usize::from(!n.is_multiple_of(3))], secret);
            if let Some(process) = kill {
                killed.call_once(|| {
                    let kill = Command::new("kill").args(["-s", "KILL", &process.to_string()]).status();
                    assert!(kill.unwrap().success());
                });
            }
            status
        };
        let threads: Vec<_> = (0..requests)
            .map(|n| std::thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, move || ask(n)).unwrap())
            .collect();
        let statuses = threads.into_iter().map(|thread| thread.join().unwrap());
        statuses
            .filter(|status| {
                // Whoever asks a gateway that dies hears nothing.
                assert!(matches!(status, None | Some(200 | 429)), "{status:?}");
                *status == Some(200)
            })
            .count()
    })
}

/// The status of a reply; nothing where there is none.
fn status_of_chat(address: &str, secret: &str) -> Option<u16> {
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#;
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut reply = Vec::new();
    // A reset after the reply's head is a reply.
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn two_gateways_of_one_store_spend_one_budget() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tokens.db").display().to_string();
    let arguments = ["serve", "--demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", &store];
    let started = || {
        let mut gateway = Gateway::start(&arguments);
        let said = gateway.says_until("Ctrl-C");
        let address = after(&said, "listens at http://").trim_end_matches(',').to_owned();
        (gateway, address)
    };
    let capped = |name: &str| {
        let create =
            ["tokens", "create", "--type", "access", "--store", &store, "--name", name, "--budget", "50requests/day"];
        quoted(&text(&output(&[&create[..], &["--output", "json"]].concat()).stdout), "key")
    };
    let ((one, first), (two, second)) = (started(), started());
    let addresses = [first.as_str(), second.as_str()];

    // As many as the budget allows, wherever they are asked for.
    let secret = capped("shared");
    assert_eq!(admitted(addresses, &secret, 1_000, None), 50);
    assert_eq!(admitted(addresses, &secret, 10, None), 0);

    // One of them is killed in between: what it had reserved is gone, and nothing is spent twice.
    let secret = capped("killed");
    let mut all = admitted(addresses, &secret, 1_000, Some(one.child.id()));
    assert!((1..=50).contains(&all), "{all}");
    // The rest may be used at the other, and a third that comes in its place.
    let (three, third) = started();
    all += admitted([&second, &third], &secret, 200, None);
    assert!(all <= 50, "{all}");
    drop(one);
    assert_eq!((two.end(), three.end()), (Some(0), Some(0)));
    let (last, address) = started();
    all += admitted([&address, &address], &secret, 60, None);
    assert!(all <= 50, "{all}");
    assert_eq!(last.end(), Some(0));
}

#[test]
fn a_configuration_is_checked_without_being_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, "[[models]]\nid = \"openai/gpt-4o\"\n").unwrap();
    let path = file.display().to_string();
    let refused = output(&["serve", "--config", &path, "--check-config"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("there is no provider `openai`") && said.contains("gateway.toml:2:6"), "{said}");
    std::fs::write(&file, "gateway_id = \"gw\"\n").unwrap();
    assert_eq!(output(&["serve", "--config", &path, "--check-config"]).status.code(), Some(0));
    let providers = "[providers.openai]\ndialect = \"openai\"\nbase_url = \"https://a.example/v1\"\n\
                     key_env = \"CEDARGATE_TEST_NOT_SET\"\n[providers.anthropic]\ndialect = \"anthropic\"\n\
                     base_url = \"https://b.example\"\nkey_file = \"anthropic.key\"\n";
    std::fs::write(&file, format!("policies = \"nowhere\"\n{providers}")).unwrap();
    let refused = output(&["serve", "--config", &path, "--check-config"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("the key of provider `openai`: the variable is not set"), "{said}");
    assert!(
        said.contains("the key of provider `anthropic`: No such file") && said.contains("gateway.toml:9:"),
        "{said}"
    );
    assert!(said.contains("the policies in") && said.contains("nowhere"), "{said}");
    // Who starts it is told the same, and nothing listens.
    std::fs::write(&file, providers).unwrap();
    let store = folder.path().join("tokens.db").display().to_string();
    let refused = output(&["serve", "--config", &path, "--store", &store, "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("the key of provider `anthropic`"), "{}", text(&refused.stderr));
    let missing = Path::new("/nowhere/gateway.toml").display().to_string();
    let said = output(&["serve", "--config", &missing]);
    assert_eq!(said.status.code(), Some(2));
    assert!(text(&said.stderr).contains("/nowhere/gateway.toml"));
}

#[test]
fn a_store_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "not a database, but long enough that nobody takes it for an empty one").unwrap();
    let path = file.display().to_string();
    let said = output(&["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", &path]);
    assert_eq!(said.status.code(), Some(2));
    assert!(text(&said.stderr).contains("notes.txt"), "{}", text(&said.stderr));
}

/// Everything that lies in a folder, as text.
fn contents(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.push_str(&contents(&path)),
            false => all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap())),
        }
    }
    all
}

#[test]
fn a_crash_exports_and_logs_show_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (store, record) = (path("demo.db"), path("day.jsonl"));
    let log = std::fs::File::create(path("log")).unwrap();
    let arguments = ["serve", "--demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", &store];
    let mut gateway = Gateway::logging(&[&arguments[..], &["--record", &record]].concat(), "trace", log.into());
    let said = gateway.says_until("Ctrl-C");
    let address = after(&said, "listens at http://").trim_end_matches(',').to_owned();
    let logged = std::fs::read_to_string(path("log")).unwrap();
    let line = logged.lines().find(|line| line.contains("to=\"health and metrics\"")).unwrap();
    let admin = after(line, "address=").to_owned();

    let mut secrets: Vec<String> =
        ["demo-app ", "demo-scoped ", "demo-runtime "].map(|name| after(&said, name).to_owned()).into();
    let made = |arguments: &[&str]| text(&output(&[arguments, &["--store", &store]].concat()).stdout);
    let created = made(&["tokens", "create", "--type", "access", "--name", "created", "--output", "json"]);
    secrets.push(quoted(&created, "key"));
    let rotated = made(&["tokens", "rotate", "--name", "demo-app", "--output", "json"]);
    secrets.push(quoted(&rotated, "key"));
    secrets.push("sk-client-of-another-system-0123456789".to_owned());
    made(&["tokens", "revoke", "--name", "demo-scoped"]);

    let mut seen = String::new();
    for secret in &secrets {
        seen.push_str(&chat(&address, secret, "gpt-4o"));
        seen.push_str(&ask(&address, &format!("GET /v1/models?key={secret}"), &format!("x-api-key: {secret}"), ""));
        seen.push_str(&ask(&address, &format!("GET /v1/{secret}"), &format!("authorization: {secret}"), ""));
    }
    seen.push_str(&ask(&admin, "GET /metrics", "accept: */*", ""));
    assert_eq!(gateway.end_by("ABRT"), None, "it was killed");
    for command in [
        &["tokens", "export", "--format", "csv"][..],
        &["tokens", "list", "--output", "json"],
        &["tokens", "inspect", "--name", "demo-app", "--can"],
        &["events", "tail", "--format", "json"],
        &["usage", "demo-app"],
        &["audit", "--format", "json"],
        &["tokens", "create", "--name", "created"],
    ] {
        let output = output(&[command, &["--store", &store]].concat());
        seen.push_str(&text(&output.stdout));
        seen.push_str(&text(&output.stderr));
    }
    seen.push_str(&contents(folder.path()));
    assert!(seen.contains("token_revoked") && seen.contains("cedargate_decisions_total"), "there was something to see");
    for secret in &secrets {
        // Two tokens may begin alike; the public part of a secret may be seen, the random part may not.
        let random = secret.get(secret.len() - 24..).unwrap();
        assert!(!seen.contains(random), "a secret is to be seen");
    }
}

/// The built-in policies as a folder with its lock.
fn policies(folder: &Path) -> PathBuf {
    let policies = folder.join("policies");
    std::fs::create_dir(&policies).unwrap();
    for (name, text) in cedargate::Bundle::default_set().files() {
        std::fs::write(policies.join(name), text).unwrap();
    }
    cedargate::write_lock(&policies).unwrap();
    policies
}

/// Forbids all chat in this folder, and writes its lock or removes it.
fn close(policies: &Path, is_locked: bool) {
    let forbid = "@id(\"nobody-chats\")\n@code(\"closed_today\")\n\
                  forbid (principal, action == Action::\"chat.completions\", resource);\n";
    std::fs::write(policies.join("closed.cedar"), forbid).unwrap();
    match is_locked {
        true => drop(cedargate::write_lock(policies).unwrap()),
        false => std::fs::remove_file(policies.join("policies.lock")).unwrap(),
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn policies_come_into_force_by_signal_and_by_themselves_but_never_without_their_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let place = policies(folder.path());
    let (store, shown) = (path("demo.db"), place.display().to_string());
    let arguments = ["serve", "--demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", &store];
    let arguments = [&arguments[..], &["--policies", &shown]].concat();
    let log = std::fs::File::create(path("log")).unwrap();
    let logged = || std::fs::read_to_string(path("log")).unwrap();
    let mut gateway = Gateway::logging(&arguments, "info", log.into());
    let said = gateway.says_until("Ctrl-C");
    let address = after(&said, "listens at http://").trim_end_matches(',').to_owned();
    let app = after(&said, "demo-app ");
    let hang_up = || {
        let hung_up = Command::new("kill").args(["-s", "HUP", &gateway.child.id().to_string()]).status().unwrap();
        assert!(hung_up.success());
    };
    assert!(chat(&address, app, "gpt-4o").starts_with("HTTP/1.1 200"));

    // Half of a folder, as a copy leaves it: without its lock.
    close(&place, false);
    hang_up();
    until("it is refused", || logged().contains("nothing was reloaded"));
    assert!(logged().contains(&format!("kt policy lock {shown}")), "{}", logged());
    assert!(chat(&address, app, "gpt-4o").starts_with("HTTP/1.1 200"), "what was in force stays in force");
    close(&place, true);
    hang_up();
    until("the new policies are in force", || chat(&address, app, "gpt-4o").contains("closed_today"));

    // Away, and back as it was before: older than what is in force.
    let away = folder.path().join("away");
    std::fs::rename(&place, &away).unwrap();
    until("it is missed", || logged().contains("the folder of policies is gone"));
    assert!(chat(&address, app, "gpt-4o").contains("closed_today"), "what was in force stays in force");
    std::fs::remove_file(away.join("closed.cedar")).unwrap();
    cedargate::write_lock(&away).unwrap();
    std::fs::rename(&away, &place).unwrap();
    until("it is back", || chat(&address, app, "gpt-4o").starts_with("HTTP/1.1 200"));
    assert_eq!(logged().matches("is gone").count(), 1, "{}", logged());
    assert_eq!(gateway.end(), Some(0));

    // Nor at a start.
    close(&place, false);
    for check in [&["--check-config"][..], &[]] {
        let refused =
            output(&[&["serve", "--policies", &shown, "--store", &store, "--listen", "127.0.0.1:0"], check].concat());
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(if check.is_empty() { 2 } else { 1 }), "{said}");
        assert!(said.contains(&format!("kt policy lock {shown}")) && said.contains("--unlocked"), "{said}");
    }
    assert_eq!(output(&["policy", "check", &shown]).status.code(), Some(0), "whoever looks at it needs no lock");
    let mut unlocked = Gateway::start(&[&arguments[..], &["--unlocked"]].concat());
    let said = unlocked.says_until("Ctrl-C");
    let address = after(&said, "listens at http://").trim_end_matches(',').to_owned();
    assert!(chat(&address, after(&said, "demo-app "), "gpt-4o").contains("closed_today"));
    assert_eq!(unlocked.end(), Some(0));
}

#[test]
fn an_address_that_is_taken_is_told_with_its_own_cure() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tokens.db").display().to_string();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (arguments, cure) in [
        (["--listen", &taken, "--admin", "127.0.0.1:0"], "with `--listen`"),
        (["--listen", "127.0.0.1:0", "--admin", &taken], "with `--admin`"),
    ] {
        let output = output(&[&["serve", "--store", &store], arguments.as_slice()].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&taken) && said.contains(cure), "{said}");
    }
}

#[test]
fn a_gateway_that_may_open_few_files_answers_those_who_ask_for_its_health() {
    let admin = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let serve = ["serve", "--demo", "--listen", "127.0.0.1:0", "--admin", &admin];
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 140 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_kt")]).args(serve);
    command.env("CEDARGATE_LOG", "error").env_remove("CEDARGATE_STORE").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let mut gateway = Gateway { child, stdout };
    let said = gateway.says_until("Ctrl-C");
    let address = after(&said, "listens at http://").trim_end_matches(',').to_owned();
    // More than it may open, and none of them says anything.
    let held: Vec<_> = (0..120).map(|_| TcpStream::connect(&address).unwrap()).collect();
    for _ in 0..10 {
        assert!(ask(&admin, "GET /healthz", "x-none: 1", "").starts_with("HTTP/1.1 200"));
    }
    drop(held);
    assert!(chat(&address, after(&said, "demo-app "), "gpt-4o").starts_with("HTTP/1.1 200"));
    assert_eq!(gateway.end(), Some(0));
}

#[test]
fn the_log_of_a_start_says_where_it_listens_with_what_and_what_is_open_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/certificates");
    let (cert, key) = (certificates.join("server.pem"), certificates.join("server.key"));
    let configuration = folder.path().join("gateway.toml");
    let written = format!(
        "listeners = [{{ address = \"127.0.0.1:0\", tls = {{ cert_file = {cert:?}, key_file = {key:?} }} }}, \
         {{ address = \"0.0.0.0:0\", consumer_group = \"web\" }}]\n\
         admin = {{ address = \"127.0.0.1:0\" }}\ncontrol = {{ address = \"127.0.0.1:0\" }}\n"
    );
    std::fs::write(&configuration, &written).unwrap();
    let (named, store) = (configuration.display().to_string(), folder.path().join("s.db").display().to_string());
    let checked = output(&["serve", "--config", &named, "--check-config"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stderr).contains("warning: clients' tokens reach `0.0.0.0:0` in clear text"));

    let mut command = kt(&["serve", "--config", &named, "--store", &store]);
    command.env("CEDARGATE_LOG", "info").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("the management of tokens") {
        assert!(log.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    assert!(Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap().success());
    log.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    for part in [
        format!("version=\"{}\"", env!("CARGO_PKG_VERSION")),
        format!("configuration=\"{named}\""),
        format!("store={store}"),
        "policies=\"built in\"".to_owned(),
        "policy_set=".to_owned(),
        "to=\"clients\" tls=true client_certificates=false".to_owned(),
        "to=\"clients\" tls=false client_certificates=false consumer_group=\"web\"".to_owned(),
        "to=\"health and metrics\" tls=false".to_owned(),
        "clients' tokens reach `0.0.0.0:0` in clear text".to_owned(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    std::fs::write(&configuration, written.replace("server.key", "client.key")).unwrap();
    let checked = output(&["serve", "--config", &named, "--check-config"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stderr).contains("the certificate and the key must belong together"));
}

#[test]
fn a_gateway_serves_on_when_nobody_reads_its_log() {
    for form in ["text", "json"] {
        let (_, unread) = std::io::pipe().unwrap();
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        for log in [Stdio::from(unread), full.into()] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("gateway.toml");
            std::fs::write(&file, "gateway_id = \"gw\"\n").unwrap();
            let (path, store) = (file.display().to_string(), folder.path().join("s.db").display().to_string());
            let create = ["tokens", "create", "--type", "access", "--name", "app", "--store", &store];
            let key = quoted(&text(&output(&[&create[..], &["--output", "json"]].concat()).stdout), "key");
            let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
            let arguments = ["serve", "--config", &path, "--store", &store, "--listen", &address];
            let arguments = [&arguments[..], &["--admin", "127.0.0.1:0", "--log-format", form]].concat();
            let gateway = Gateway::logging(&arguments, "trace", log);
            until("it answers", || status_of_chat(&address, &key) == Some(200));
            let hung_up = Command::new("kill").args(["-s", "HUP", &gateway.child.id().to_string()]).status().unwrap();
            assert!(hung_up.success());
            for _ in 0..20 {
                assert_eq!(status_of_chat(&address, &key), Some(200), "{form}");
            }
            assert_eq!(gateway.end(), Some(0), "{form}");
        }
    }
}

#[test]
fn a_configuration_that_was_emptied_is_not_put_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, store) = (path("gateway.toml"), path("s.db"));
    let create = ["tokens", "create", "--type", "access", "--name", "app", "--store", &store];
    let key = quoted(&text(&output(&[&create[..], &["--output", "json"]].concat()).stdout), "key");
    let said = "[providers.echo]\ndialect = \"echo\"\n[[models]]\nid = \"echo/a\"\n";
    std::fs::write(&file, said).unwrap();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let arguments = ["serve", "--config", &file, "--store", &store, "--listen", &address, "--admin", "127.0.0.1:0"];
    let log = std::fs::File::create(path("log")).unwrap();
    let logged = |what: &str| std::fs::read_to_string(path("log")).unwrap().matches(what).count();
    let gateway = Gateway::logging(&arguments, "info", log.into());
    until("it answers", || status_of_chat(&address, &key) == Some(404));
    let refused = "the configuration is empty: what was in force stays";
    let hang_up = || {
        let hung_up = Command::new("kill").args(["-s", "HUP", &gateway.child.id().to_string()]).status().unwrap();
        assert!(hung_up.success());
    };
    for emptied in ["", "# providers\n\n", "[limits]\n"] {
        let known = logged(refused);
        std::fs::write(&file, emptied).unwrap();
        until("it is noticed", || logged(refused) > known);
        let before = logged(refused);
        hang_up();
        until("it is refused", || logged(refused) > before);
        assert_eq!(status_of_chat(&address, &key), Some(404), "what was in force stays in force");
        std::fs::write(&file, said).unwrap();
        let before = logged("the configuration was read again");
        hang_up();
        until("it is whole again", || logged("the configuration was read again") > before);
    }
    std::fs::write(&file, said.replace("echo/a", "echo/gpt-4o")).unwrap();
    until("another one is in force", || status_of_chat(&address, &key) == Some(200));
    assert_eq!(gateway.end(), Some(0));
    // Who starts with an empty one has chosen it.
    std::fs::write(&file, "").unwrap();
    assert_eq!(output(&["serve", "--config", &file, "--check-config"]).status.code(), Some(0));
}

#[test]
fn nothing_is_recorded_to_a_file_that_is_needed_or_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (store, file) = (path("s.db"), path("gateway.toml"));
    let create = ["tokens", "create", "--type", "access", "--name", "app", "--store", &store];
    assert!(output(&create).status.success());
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/certificates");
    std::fs::copy(certificates.join("server.pem"), path("server.pem")).unwrap();
    std::fs::copy(certificates.join("server.key"), path("server.key")).unwrap();
    let said = "listeners = [{ address = \"127.0.0.1:0\", \
                tls = { cert_file = \"server.pem\", key_file = \"server.key\" } }]\n\
                admin = { address = \"127.0.0.1:0\" }\n";
    std::fs::write(&file, said).unwrap();
    std::fs::write(path("shown.jsonl"), "").unwrap();
    for name in ["gateway.toml", "server.key"] {
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::set_permissions(path("shown.jsonl"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(folder.path(), path("around")).unwrap();
    let beside = "the token store, or a file that is kept beside it";
    let needed = [
        ("s.db", beside),
        ("around/s.db", beside),
        ("s.db-wal", beside),
        ("s.db-shm", beside),
        ("s.db-journal", beside),
        ("s.db-seen", beside),
        ("s.db-reserve", beside),
        ("new.db", beside),
        ("gateway.toml", "it is the configuration"),
        ("around/gateway.toml", "it is the configuration"),
        ("server.key", "it is a certificate or its key"),
    ];
    for (name, why) in needed.into_iter().chain([("shown.jsonl", "chmod 600")]) {
        let bytes = || std::fs::read(path(name)).ok();
        let (before, store) = (bytes(), path(if name == "new.db" { "new.db" } else { "s.db" }));
        let refused = output(&["serve", "--config", &file, "--store", &store, "--record", &path(name)]);
        let told = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{name}: {told}");
        assert!(told.contains("cannot record to") && told.contains(why), "{name}: {told}");
        assert_eq!(bytes(), before, "{name}");
        assert!(!Path::new(&path(&format!("{name}.bundles"))).exists(), "{name}");
    }
    let refused = output(&["serve", "--store", &store, "--record", "-"]);
    let told = text(&refused.stderr);
    assert!(refused.status.code() == Some(2) && told.contains("no recording to standard output"), "{told}");

    // The same of a configuration, before it is used and while another one is.
    let log = std::fs::File::create(path("log")).unwrap();
    let logged = |what: &str| std::fs::read_to_string(path("log")).unwrap().matches(what).count();
    let gateway = Gateway::logging(&["serve", "--config", &file, "--store", &store], "info", log.into());
    until("it listens", || logged("health and metrics") > 0);
    for name in ["s.db-wal", "gateway.toml"] {
        std::fs::write(&file, format!("record = \"{name}\"\nstore = \"s.db\"\n{said}")).unwrap();
        let checked = output(&["serve", "--config", &file, "--check-config"]);
        assert_eq!(checked.status.code(), Some(1), "{name}");
        assert!(text(&checked.stderr).contains("cannot record to"), "{name}");
        let before = logged("nothing was reloaded");
        let hung_up = Command::new("kill").args(["-s", "HUP", &gateway.child.id().to_string()]).status().unwrap();
        assert!(hung_up.success());
        until("it is refused", || logged("nothing was reloaded") > before);
    }
    assert!(logged("cannot record to") > 0);
    assert_eq!(gateway.end(), Some(0));
}
