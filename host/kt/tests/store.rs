//! `kt store`, and copies of a store's file, as whoever keeps backups meets them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Generous: tests assert what happens, not how fast on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn kt(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kt"));
    command.args(arguments).env("NO_COLOR", "1").env_remove("CEDARGATE_STORE").env_remove("CEDARGATE_CONFIG");
    command
}

/// The exit code, and what was printed.
fn ran(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = kt(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn data(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = ran(arguments);
    assert_eq!(code, 0, "{arguments:?}: {stdout}{stderr}");
    stdout
}

/// A gateway in a process of its own.
struct Gateway(Child);

impl Gateway {
    fn start(store: &str) -> Self {
        let arguments = ["serve", "--demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", store];
        let mut child = kt(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("Ctrl-C")));
        Self(child)
    }

    /// One without a demo, and where it listens: for clients, and for who asks for its health.
    fn listening(store: &str, more: &[&str]) -> (Self, String, String) {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", store];
        let mut child = kt(&[&arguments, more].concat()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut logged = String::new();
        while !logged.contains("to=\"health and metrics\"") {
            assert!(log.read_line(&mut logged).unwrap() > 0, "it ended: {logged}");
        }
        // Whoever logs does not wait for a reader.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let place = |to: &str| {
            let line = logged.lines().find(|line| line.contains(to)).unwrap();
            line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
        };
        (Self(child), place("to=\"clients\""), place("to=\"health and metrics\""))
    }

    fn end_by(mut self, signal: &str) {
        let killed = Command::new("kill").args(["-s", signal, &self.0.id().to_string()]).status().unwrap();
        assert!(killed.success());
        self.0.wait().unwrap();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The status of an answer, and all of it.
fn get(address: &str, path: &str, key: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\r\n")
        .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    (reply.split(' ').nth(1).unwrap().parse().unwrap(), reply)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn named(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// What the audit log of a copy of the file alone says: how many entries, or that it was cut.
    fn entries_of_copy(&self) -> Option<u64> {
        let copy = self.named("copy.db");
        fs::copy(self.path("store.db"), &copy).unwrap();
        let (code, stdout, stderr) = ran(&["audit", "verify", "--store", &copy, "--format", "json"]);
        for name in ["copy.db", "copy.db-wal", "copy.db-shm"] {
            let _ = fs::remove_file(self.path(name));
        }
        match code {
            0 => Some(entries(&stdout)),
            2 => {
                assert!(stderr.contains("is not whole") && stderr.contains("kt store restore"), "{stderr}");
                None
            }
            _ => panic!("{stdout}{stderr}"),
        }
    }
}

fn entries(json: &str) -> u64 {
    let (_, rest) = json.split_once("entries\":").unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Makes a token, and returns its key.
fn create(store: &str, name: &str) -> String {
    let made = data(&["tokens", "create", "--type", "access", "--name", name, "--store", store]);
    made.lines().find_map(|line| line.strip_prefix("Key: ")).unwrap().to_owned()
}

#[test]
fn a_copy_of_the_file_alone_is_never_an_empty_store() {
    let desk = Desk::new();
    let store = desk.named("store.db");
    let gateway = Gateway::start(&store);
    create(&store, "app");
    // Three tokens of the demo and one more.
    let deadline = Instant::now() + PATIENCE;
    while desk.entries_of_copy().is_none_or(|entries| entries < 4) {
        assert!(Instant::now() < deadline, "the file is not whole");
        std::thread::sleep(Duration::from_millis(50));
    }
    gateway.end_by("TERM");
    assert_eq!(desk.entries_of_copy(), Some(4));
    create(&store, "another");
    assert_eq!(desk.entries_of_copy(), Some(5));

    let gateway = Gateway::start(&store);
    gateway.end_by("KILL");
    assert_ne!(desk.entries_of_copy(), Some(5), "the demo has made tokens again");
    data(&["tokens", "list", "--store", &store]);
    assert_eq!(desk.entries_of_copy(), Some(8));
}

#[test]
fn every_command_refuses_a_file_that_was_cut() {
    let desk = Desk::new();
    let store = desk.named("store.db");
    let gateway = Gateway::start(&store);
    gateway.end_by("KILL");
    for name in ["store.db-wal", "store.db-shm"] {
        fs::remove_file(desk.path(name)).unwrap();
    }
    for command in [
        &["audit", "verify"][..],
        &["tokens", "list"],
        &["tokens", "create", "--type", "access", "--name", "app"],
        &["store", "check"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let (code, stdout, stderr) = ran(&[command, &["--store", &store]].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{command:?}");
        assert!(stderr.contains("is not whole") && stderr.contains("kt store restore"), "{stderr}");
    }
}

#[test]
fn a_store_is_backed_up_checked_and_put_back() {
    let desk = Desk::new();
    let (store, backup) = (desk.named("store.db"), desk.named("backup.db"));
    let gateway = Gateway::start(&store);
    let backed_up = data(&["store", "backup", &backup, "--store", &store]);
    assert!(backed_up.starts_with("in order\n") && backed_up.contains("\ntokens: 3\n"), "{backed_up}");
    let (code, _, stderr) = ran(&["store", "backup", &backup, "--store", &store]);
    assert!(code == 2 && stderr.contains("--replace"), "{stderr}");
    data(&["store", "backup", "--replace", &backup, "--store", &store]);
    create(&store, "later");
    let (code, _, stderr) = ran(&["store", "restore", &backup, "--store", &store]);
    assert!(code == 2 && stderr.contains("another process has the token store"), "{stderr}");
    gateway.end_by("TERM");
    assert!(data(&["store", "check", "--store", &store]).contains("tokens: 4"));
    assert!(data(&["store", "check", &backup]).contains("tokens: 3"));

    let restored = data(&["store", "restore", &backup, "--store", &store]);
    let kept = restored.lines().find_map(|line| line.strip_prefix("kept: ")).unwrap();
    assert!(data(&["store", "check", kept]).contains("tokens: 4"));
    assert!(data(&["store", "check", "--store", &store]).contains("tokens: 3"));
    assert!(Path::new(kept).starts_with(desk.folder.path()));
}

#[test]
fn a_backup_is_written_over_a_backup_and_nothing_else() {
    let desk = Desk::new();
    let (store, other) = (desk.named("store.db"), desk.named("other.db"));
    let key = create(&store, "app");
    create(&other, "another");
    let (gateway, clients, _) = Gateway::listening(&store, &[]);
    let (elsewhere, _, _) = Gateway::listening(&other, &[]);
    fs::write(desk.path("g.toml"), "gateway_id = \"gw\"\n").unwrap();
    fs::write(desk.path("empty"), "").unwrap();
    fs::write(desk.path("short.db"), "SQLite format 3\0").unwrap();
    fs::hard_link(&store, desk.path("name.db")).unwrap();
    std::os::unix::fs::symlink(&store, desk.path("link.db")).unwrap();
    std::os::unix::fs::symlink(desk.path("g.toml"), desk.path("link.toml")).unwrap();
    fs::create_dir(desk.path("folder")).unwrap();
    let itself = "is the token store itself, or a file that is kept beside it: name another file";
    let no_backup = "is not a backup of a token store, and is not written over: name another file";
    let around = desk.path("folder/../store.db").display().to_string();
    for (to, why) in [
        (store.clone(), itself),
        (around, itself),
        (desk.named("name.db"), itself),
        (desk.named("link.db"), itself),
        (desk.named("store.db-wal"), itself),
        (desk.named("store.db-shm"), itself),
        (desk.named("store.db-journal"), itself),
        (desk.named("store.db-seen"), itself),
        (desk.named("store.db-reserve"), itself),
        (desk.named("g.toml"), no_backup),
        (desk.named("link.toml"), no_backup),
        (desk.named("empty"), no_backup),
        (desk.named("short.db"), no_backup),
        (desk.named("folder"), no_backup),
        (other.clone(), "another process has the token store"),
    ] {
        let number = || fs::metadata(&to).ok().map(|file| file.ino());
        let before = number();
        let (code, stdout, stderr) = ran(&["store", "backup", "--replace", &to, "--store", &store]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{to}: {stderr}");
        assert!(stderr.contains(why), "{to}: {stderr}");
        // What is kept beside a store changes when somebody opens it.
        assert!(to.contains("store.db-") || number() == before, "{to}");
    }
    assert_eq!(fs::read_to_string(desk.path("g.toml")).unwrap(), "gateway_id = \"gw\"\n");
    assert_eq!(get(&clients, "/v1/models", &key).0, 200);
    gateway.end_by("TERM");
    elsewhere.end_by("TERM");
    let backup = desk.named("backup.db");
    for _ in 0..3 {
        assert!(data(&["store", "backup", "--replace", &backup, "--store", &store]).contains("tokens: 1"));
    }
}

#[test]
fn a_store_that_was_replaced_is_503_until_somebody_accepts_it() {
    let desk = Desk::new();
    let (store, backup) = (desk.named("store.db"), desk.named("backup.db"));
    let (ended, other) = (create(&store, "ended"), create(&store, "other"));
    data(&["store", "backup", &backup, "--store", &store]);
    let (gateway, clients, admin) = Gateway::listening(&store, &[]);
    data(&["tokens", "revoke", "--name", "ended", "--store", &store]);
    let asked = |key: &str| get(&clients, "/v1/models", key).0;
    until("the revocation is seen", || asked(&ended) == 401);
    assert_eq!((asked(&other), get(&admin, "/readyz", "-").0), (200, 200));

    fs::rename(&backup, &store).unwrap();
    until("503", || asked(&other) == 503 && asked(&ended) == 503);
    let (status, reply) = get(&admin, "/readyz", "-");
    assert!(status == 503 && reply.contains("the token store was replaced"), "{reply}");
    let (code, _, stderr) = ran(&["tokens", "list", "--store", &store]);
    assert!(code == 2 && stderr.contains("--accept-store"), "{stderr}");
    assert_eq!(asked(&other), 503);

    let (code, _, stderr) = ran(&["tokens", "list", "--store", &store, "--accept-store"]);
    assert!(code == 0 && stderr.contains("changes 3 to 3 of tokens are not in it"), "{stderr}");
    until("an answer", || asked(&other) == 200);
    let (status, reply) = get(&clients, "/v1/models", &ended);
    assert!(status == 401 && reply.contains("token_revoked"), "{reply}");
    until("it is written back", || data(&["audit", "--store", &store]).contains("gateway restored-store \"ended\""));
    gateway.end_by("TERM");

    let (gateway, clients, _) = Gateway::listening(&store, &[]);
    assert_eq!((get(&clients, "/v1/models", &ended).0, get(&clients, "/v1/models", &other).0), (401, 200));
    gateway.end_by("TERM");
}

#[test]
fn what_is_known_to_be_lost_with_a_store_that_is_gone_is_said() {
    let desk = Desk::new();
    let (store, backup, old) = (desk.named("store.db"), desk.named("backup.db"), desk.named("old.db"));
    create(&store, "app");
    data(&["store", "backup", &backup, "--store", &store]);
    data(&["tokens", "revoke", "--name", "app", "--store", &store]);
    fs::copy(&backup, &old).unwrap();
    fs::rename(&old, &store).unwrap();
    let (code, _, stderr) = ran(&["store", "restore", &backup, "--store", &store]);
    assert!(code == 0 && stderr.contains("changes 2 to 2 of the store are known to have been made"), "{stderr}");
}

#[test]
fn a_gateway_that_starts_with_an_older_store_answers_once_it_is_accepted() {
    let desk = Desk::new();
    let (store, backup) = (desk.named("store.db"), desk.named("backup.db"));
    let key = create(&store, "app");
    data(&["store", "backup", &backup, "--store", &store]);
    create(&store, "lost");
    let (gateway, clients, admin) = Gateway::listening(&store, &[]);
    assert_eq!(get(&admin, "/readyz", "-").0, 200);
    // Written over while a gateway has it open, and nothing stands in its log.
    until("the log is empty", || fs::metadata(desk.path("store.db-wal")).is_ok_and(|log| log.len() == 0));
    fs::copy(&backup, &store).unwrap();
    until("503", || get(&admin, "/readyz", "-").0 == 503 && get(&clients, "/v1/models", &key).0 == 503);
    let (code, _, stderr) = ran(&["store", "restore", &backup, "--store", &store]);
    assert!(code == 2 && stderr.contains("another process has the token store"), "{stderr}");
    gateway.end_by("KILL");
    let (gateway, clients, admin) = Gateway::listening(&store, &[]);
    assert_eq!((get(&clients, "/v1/models", &key).0, get(&admin, "/readyz", "-").0), (503, 503));
    gateway.end_by("TERM");
    let (gateway, clients, admin) = Gateway::listening(&store, &["--accept-store"]);
    assert_eq!((get(&clients, "/v1/models", &key).0, get(&admin, "/readyz", "-").0), (200, 200));
    gateway.end_by("TERM");

    // Put back by the command, it is accepted.
    let (_, _, stderr) = ran(&["store", "restore", &backup, "--store", &store]);
    assert!(stderr.contains("changes since the backup: "), "{stderr}");
    let (gateway, _, admin) = Gateway::listening(&store, &[]);
    assert_eq!(get(&admin, "/readyz", "-").0, 200);
    gateway.end_by("TERM");
}

#[test]
fn the_head_of_the_audit_log_is_told_with_each_change() {
    let desk = Desk::new();
    let (store, socket) = (desk.named("store.db"), desk.named("log"));
    let receiver = UnixDatagram::bind(&socket).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let syslog = format!("--syslog={socket}");
    let mut heads = Vec::new();
    for command in [
        &["tokens", "create", "--type", "access", "--name", "app"][..],
        &["tokens", "disable", "--name", "app"],
        &["tokens", "revoke", "--name", "app"],
    ] {
        let (code, _, stderr) = ran(&[command, &["--store", &store, &syslog]].concat());
        assert_eq!(code, 0, "{stderr}");
        let head = stderr.lines().find_map(|line| line.strip_prefix("audit head: ")).unwrap().to_owned();
        let mut message = [0; 256];
        let length = receiver.recv(&mut message).unwrap();
        assert!(String::from_utf8(message[..length].to_vec()).unwrap().ends_with(&format!("head={head}")));
        heads.push(head);
    }
    for head in &heads {
        data(&["audit", "verify", "--head", head, "--store", &store]);
    }
    let (_, _, stderr) = ran(&["tokens", "list", "--store", &store, &syslog]);
    assert_eq!(stderr, "", "nothing was changed");
}

#[test]
fn a_store_is_new_where_nothing_is_and_says_so_and_an_empty_file_is_none() {
    let desk = Desk::new();
    let (empty, new, good) = (desk.named("empty.db"), desk.named("new.db"), desk.named("good.db"));
    create(&good, "app");
    fs::write(&empty, "").unwrap();
    fs::set_permissions(&empty, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for command in [
        &["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"][..],
        &["serve", "--accept-store", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
        &["tokens", "create", "--type", "access", "--name", "app"],
        &["tokens", "list"],
        &["store", "check"],
    ] {
        let (code, _, stderr) = ran(&[command, &["--store", &empty]].concat());
        assert!(code == 2 && stderr.contains(&format!("`{empty}` is an empty file")), "{command:?}: {stderr}");
    }
    let (code, _, stderr) = ran(&["store", "restore", &empty, "--store", &good]);
    assert!(code == 2 && stderr.contains("is an empty file"), "{stderr}");
    assert_eq!(fs::metadata(&empty).unwrap().len(), 0);
    assert!(data(&["store", "check", "--store", &good]).contains("tokens: 1"), "nothing was put in its place");

    let serve = |store: &str| {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", store];
        let mut child = kt(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut logged = String::new();
        while !logged.contains("to=\"health and metrics\"") {
            assert!(log.read_line(&mut logged).unwrap() > 0, "it ended: {logged}");
        }
        Gateway(child).end_by("TERM");
        logged
    };
    let said = format!("a new token store was made path={new}");
    assert!(serve(&new).contains(&said), "where it is made");
    assert!(!serve(&new).contains("a new token store was made"), "where it is there");
}
