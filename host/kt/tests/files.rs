//! What `kt` writes, and where: for who runs it alone, never through a link, never where others may replace it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.at(name), Permissions::from_mode(mode)).unwrap();
    }

    /// Runs `kt` in the folder, with a umask that keeps nobody out.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "umask 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_kt")]).args(arguments);
        command.current_dir(self.folder.path()).env("NO_COLOR", "1").env_remove("CEDARGATE_STORE");
        command
    }

    fn kt(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.kt(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        said
    }

    fn create(&self, store: &str) -> Vec<String> {
        ["tokens", "create", "--type", "access", "--name", "app", "--store", store].map(str::to_owned).into()
    }
}

/// Every file and folder below one, with its mode.
fn modes(folder: &Path) -> Vec<(PathBuf, bool, u32)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = fs::symlink_metadata(&path).unwrap();
        all.push((path.clone(), found.is_dir(), found.mode() & 0o7777));
        if found.is_dir() {
            all.extend(modes(&path));
        }
    }
    all
}

struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const DEMO: [&str; 6] = ["serve", "--demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

#[test]
fn a_gateway_writes_for_its_owner_whatever_the_umask() {
    let desk = Desk::new();
    let arguments = [&DEMO[..], &["--store", "kept/tokens.db", "--record", "day.jsonl"]].concat();
    let mut child = desk.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut gateway = Gateway(child);
    let mut said = String::new();
    while !said.contains("Ctrl-C") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    let word = |mark: &str| said.split_once(mark).unwrap().1.split_whitespace().next().unwrap();
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#;
    let mut stream = TcpStream::connect(word("listens at http://").trim_end_matches(',')).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        word("demo-app "),
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(Command::new("kill").args(["-s", "TERM", &gateway.0.id().to_string()]).status().unwrap().success());
    assert!(gateway.0.wait().unwrap().success());

    let found = modes(desk.folder.path());
    for name in ["day.jsonl", "kept/tokens.db", "policies.lock", "models.cedar"] {
        assert!(found.iter().any(|(path, ..)| path.ends_with(name)), "{name}: {found:?}");
    }
    for (path, is_folder, mode) in found {
        assert_eq!(mode, if is_folder { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

#[test]
fn a_recording_follows_no_link_and_lies_where_nobody_replaces_it() {
    let desk = Desk::new();
    fs::create_dir(desk.at("elsewhere")).unwrap();
    fs::write(desk.at("elsewhere/precious"), "kept\n").unwrap();
    symlink("elsewhere/precious", desk.at("link.jsonl")).unwrap();
    symlink("elsewhere/none", desk.at("dangling.jsonl")).unwrap();
    symlink("elsewhere", desk.at("day.jsonl.bundles")).unwrap();
    for name in ["open", "open/own", "group", "sticky"] {
        fs::create_dir(desk.at(name)).unwrap();
    }
    desk.mode("open", 0o777);
    desk.mode("open/own", 0o700);
    desk.mode("group", 0o775);
    desk.mode("sticky", 0o1777);
    fs::write(desk.at("loose.jsonl"), "").unwrap();
    desk.mode("loose.jsonl", 0o666);
    for (file, told) in [
        ("link.jsonl", "is a link"),
        ("dangling.jsonl", "is a link"),
        ("day.jsonl", "`day.jsonl.bundles` is a link"),
        ("open/own/x.jsonl", "`chmod go-w"),
        ("open/x.jsonl", "`chmod go-w"),
        ("group/x.jsonl", "`chmod go-w"),
        ("loose.jsonl", "`chmod 600 loose.jsonl`"),
        ("/dev/null", "is not a regular file"),
        ("none/x.jsonl", "No such file or directory"),
    ] {
        let said = desk.refused(&[&DEMO[..], &["--record", file]].concat());
        assert!(said.contains(told) && said.contains("cannot record to"), "{file}: {said}");
    }
    assert_eq!(fs::read_to_string(desk.at("elsewhere/precious")).unwrap(), "kept\n");
    assert_eq!(fs::read_dir(desk.at("elsewhere")).unwrap().count(), 1);
}

#[test]
fn a_store_lies_where_nobody_replaces_it() {
    let desk = Desk::new();
    let create = |store: &str| desk.create(store);
    let run = |arguments: &[String]| desk.kt(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    for name in ["open", "open/own", "sticky"] {
        fs::create_dir(desk.at(name)).unwrap();
    }
    desk.mode("open", 0o777);
    desk.mode("open/own", 0o700);
    desk.mode("sticky", 0o1777);
    symlink("nowhere.db", desk.at("dangling.db")).unwrap();
    assert!(run(&create("real.db")).status.success());
    symlink("real.db", desk.at("link.db")).unwrap();
    for (store, told) in [
        ("open/own/tokens.db", "`chmod go-w"),
        ("open/deep/er/tokens.db", "`chmod go-w"),
        ("sticky/tokens.db", "name a folder of your own"),
        ("dangling.db", "`dangling.db` is a link"),
        ("link.db", "`link.db` is a link"),
    ] {
        for arguments in [create(store), ["tokens", "list", "--store", store].map(str::to_owned).into()] {
            let output = run(&arguments);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            // What is told leads somewhere: making the store is no cure for what is in its way.
            assert!(said.contains(told) && !said.contains("makes it"), "{store}: {said}");
        }
    }
    assert!(!desk.at("open/deep").exists() && !desk.at("nowhere.db").exists());
    // A folder of one's own below one that is everybody's is fine.
    assert!(run(&create("sticky/own/tokens.db")).status.success());
    // What lies beside the store is part of it.
    fs::rename(desk.at("real.db"), desk.at("other.db")).unwrap();
    for beside in ["other.db-wal", "other.db-shm", "other.db-journal"] {
        let _ = fs::remove_file(desk.at(beside));
        symlink("planted", desk.at(beside)).unwrap();
        let said = desk.refused(&["tokens", "list", "--store", "other.db"]);
        assert!(said.contains(&format!("`{beside}` is a link")), "{said}");
        fs::remove_file(desk.at(beside)).unwrap();
    }
    assert!(!desk.at("planted").exists());
}

#[test]
fn the_component_is_compiled_once_and_that_is_said() {
    let desk = Desk::new();
    // A home in a folder that is everybody's, as in many containers.
    fs::create_dir(desk.at("tmp")).unwrap();
    desk.mode("tmp", 0o1777);
    let (home, chosen) = (desk.at("tmp/home"), desk.at("chosen/cache"));
    fs::create_dir(&home).unwrap();
    desk.mode("tmp/home", 0o700);
    let info = |folder: Option<&Path>, named: Option<&Path>| {
        let mut command = desk.command(&["component", "info"]);
        command.env("HOME", &home).env_remove("XDG_CACHE_HOME").env_remove("CEDARGATE_CACHE_DIR");
        if let Some(folder) = folder {
            command.arg("--cache-dir").arg(folder);
        }
        if let Some(named) = named {
            command.env("CEDARGATE_CACHE_DIR", named);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = info(None, None);
    let place = home.join(".cache/cedargate").display().to_string();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("compiling the component") && lines[0].contains(&place), "{said}");
    assert!(lines[1].starts_with("compiled the component in ") && lines[1].contains(&place), "{said}");
    assert_eq!(info(None, None), "", "the second command takes what the first one kept");
    Command::new("cp").arg("-a").arg(&place).arg(desk.at("copy")).status().unwrap();
    fs::create_dir(desk.at("chosen")).unwrap();
    fs::rename(desk.at("copy"), &chosen).unwrap();
    desk.mode("chosen", 0o755);
    fs::remove_dir_all(&home).unwrap();
    assert_eq!(info(Some(&chosen), None), "");
    assert_eq!(info(None, Some(&chosen)), "");
    assert_eq!(info(Some(&chosen), Some(Path::new("/nowhere"))), "", "what is typed counts more");
    assert!(!home.exists());
}

#[test]
fn an_export_is_for_its_owner_and_follows_no_link() {
    let desk = Desk::new();
    assert!(desk.kt(&["component", "export", "c.wasm"]).status.success());
    assert_eq!(fs::metadata(desk.at("c.wasm")).unwrap().mode() & 0o777, 0o600);
    symlink("none", desk.at("link.wasm")).unwrap();
    assert!(desk.refused(&["component", "export", "--force", "link.wasm"]).contains("not a regular file"));
    fs::create_dir(desk.at("open")).unwrap();
    desk.mode("open", 0o777);
    assert!(desk.refused(&["component", "export", "open/c.wasm"]).contains("`chmod go-w"));
    assert!(!desk.at("none").exists());
    // Whoever reads the policies reads their lock, and nobody else writes it.
    fs::create_dir(desk.at("policies")).unwrap();
    for (name, text) in cedargate::Bundle::default_set().files() {
        fs::write(desk.at("policies").join(name), text).unwrap();
    }
    assert!(desk.kt(&["policy", "lock", "policies"]).status.success());
    assert_eq!(fs::metadata(desk.at("policies/policies.lock")).unwrap().mode() & 0o777, 0o644);
}
