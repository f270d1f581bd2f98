use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use cedargate::model::Timestamp;
use cedargate_tokens::{
    BudgetKey, Event, EventFilter, Grant, Ledger, NewToken, Owner, Recorder, RecorderOptions, Rotation, Selector, Unit,
    Verdict, Window,
};

use crate::stage::{Stage, later, until};

/// Tells a copy of this program what to do.
const TASK: &str = "CEDARGATE_TEST_TASK";
const FOLDER: &str = "CEDARGATE_TEST_FOLDER";

/// A copy of this program that does a task with the store of a folder.
pub(crate) fn spawn(task: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::another_process", "--nocapture"])
        .env(TASK, task)
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test by itself: what the other process does.
#[tokio::test]
async fn another_process() {
    let (Ok(task), Ok(folder)) = (std::env::var(TASK), std::env::var(FOLDER)) else { return };
    let stage = Stage::in_existing(Path::new(&folder)).await;
    let (what, name) = task.split_once(' ').unwrap();
    let selector = Selector::Name(name.to_owned());
    match what {
        "create" => println!("\ncreated {}", stage.create(name).await),
        "revoke" => {
            stage.tokens.revoke(&selector, None).await.unwrap();
            println!("\nrevoked {name}");
        }
        "rotate" => {
            let rotation = Rotation { grace: "0".parse().unwrap(), ..Rotation::default() };
            let rotated = stage.tokens.rotate(&selector, &rotation).await.unwrap();
            println!("\nrotated {}", rotated.secret.expose());
        }
        "churn" => churn(&stage).await,
        "use" => use_until_killed(&stage, name).await,
        _ => panic!("{task}"),
    }
}

/// A thousand changes, each told as soon as it is acknowledged.
async fn churn(stage: &Stage) {
    let rotation = Rotation { grace: "0".parse().unwrap(), ..Rotation::default() };
    for n in 0..334 {
        let name = format!("app-{n}");
        let selector = Selector::Name(name.clone());
        let created = stage.tokens.create(NewToken::new(name, Grant::general())).await.unwrap();
        println!("\nlive {}", created.secret.expose());
        let rotated = stage.tokens.rotate(&selector, &rotation).await.unwrap();
        println!("\nended {}\nlive {}", created.secret.expose(), rotated.secret.expose());
        if n % 2 == 0 {
            stage.tokens.revoke(&selector, None).await.unwrap();
            println!("\nended {}", rotated.secret.expose());
        }
    }
}

/// Uses a token once, tells when that is written by itself, and waits.
async fn use_until_killed(stage: &Stage, name: &str) {
    stage.create(name).await;
    let token = stage.tokens.find(&Selector::Name(name.to_owned())).await.unwrap();
    let recorder = Recorder::start(Arc::clone(&stage.store), RecorderOptions::default());
    let mut event = Event::new("req_1", stage.clock.now(), "chat.completions", Verdict::Allow);
    event.token_id = Some(token.id.as_str().into());
    event.secret_version = Some(1);
    recorder.record(event);
    let ledger = Ledger::start(Arc::clone(&stage.store), Arc::clone(&stage.clock));
    let key = BudgetKey::at(Owner::Token(token.id.into()), Unit::Money, Window::Ever, stage.clock.now());
    ledger.reserve(key.clone(), 100, 5).await.unwrap().settle(5);
    ledger.flush().await.unwrap();
    // In flight, and never settled.
    let _held = ledger.reserve(key, 100, 20).await.unwrap();
    until("the write", async || !stage.store.events(&EventFilter::default(), None, 1).await.unwrap().is_empty()).await;
    println!("\nwritten");
    std::future::pending::<()>().await;
}

fn told(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

/// What a process told last after this word.
fn after<'a>(text: &'a str, word: &str) -> &'a str {
    text.lines().rev().find_map(|line| line.strip_prefix(word)).unwrap().trim()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_see_each_others_changes() {
    let stage = Stage::new().await;
    let folder = stage.folder.path();
    let secret = after(&told(spawn("create app", folder)), "created").to_owned();
    until("the new token", async || stage.ask(&secret) == "200").await;
    let rotated = after(&told(spawn("rotate app", folder)), "rotated").to_owned();
    until("the new secret", async || stage.ask(&rotated) == "200").await;
    until("the end of the old secret", async || stage.ask(&secret) == "401 token_expired").await;
    // What the other one made, this one ends, and the other way round.
    stage.create("mine").await;
    told(spawn("revoke mine", folder));
    told(spawn("revoke app", folder));
    until("the revocation", async || stage.ask(&rotated) == "401 token_revoked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill() {
    // Killed early and late, wherever that happens to be.
    for acknowledged in [1, 40, 333] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = spawn("churn all", folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut live = Vec::new();
        let mut ended = Vec::new();
        let mut note = |line: &str| match line.split_once(' ') {
            Some(("live", secret)) => live.push(secret.to_owned()),
            Some(("ended", secret)) => ended.push(secret.to_owned()),
            _ => {}
        };
        let mut noted = 0;
        while noted < acknowledged {
            let line = lines.next().unwrap().unwrap();
            noted += usize::from(!line.is_empty());
            note(&line);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had told before it died, but for a line that was cut.
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        for line in rest.iter().take(rest.len().saturating_sub(1)) {
            note(line);
        }
        let stage = Stage::in_folder(folder).await;
        let at = later(stage.clock.now(), 1);
        for secret in &ended {
            let answer = stage.ask_at(secret, at);
            assert!(answer == "401 token_revoked" || answer == "401 token_expired", "{answer}");
        }
        // The last change may have been made without being told.
        let surprises =
            live.iter().filter(|secret| !ended.contains(secret) && stage.ask_at(secret, at) != "200").count();
        assert!(surprises <= 1, "{surprises} of {} are gone", live.len());
        assert!(live.iter().all(|secret| stage.ask_at(secret, at) != "401 token_unknown"));
        assert!(stage.tokens.audit_verify(None).await.unwrap().is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = spawn("use app", folder.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while lines.next().unwrap().unwrap() != "written" {}
    child.kill().unwrap();
    child.wait().unwrap();
    let stage = Stage::in_folder(folder).await;
    let token = stage.tokens.find(&Selector::Name("app".to_owned())).await.unwrap();
    assert!(token.last_used_at.is_some());
    let usage = stage.store.usage(&token.id, Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(usage.iter().map(|(_, count)| count.requests).sum::<u64>(), 1);
    let spent = async || -> u64 {
        let spent = stage.store.spent(stage.clock.now()).await.unwrap();
        spent.iter().map(|(_, amount)| *amount).sum()
    };
    assert_eq!(spent().await, 5);
    // What it had in flight, and a part that it had leased ahead, is nobody's: reserved at first, and spent then.
    let key = BudgetKey::at(Owner::Token(token.id.clone().into()), Unit::Money, Window::Ever, stage.clock.now());
    let ledger = Ledger::start(Arc::clone(&stage.store), Arc::clone(&stage.clock));
    let refused = ledger.reserve(key.clone(), 100, 76).await.unwrap();
    assert!(!refused.is_reserved() && refused.spent_before() >= 25, "{refused:?}");
    assert!(stage.store.expire(later(stage.clock.now(), 3_600)).await.unwrap() > 0);
    assert!((25..30).contains(&spent().await), "{}", spent().await);
}
