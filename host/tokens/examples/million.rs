//! Measures look-ups, memory and start with a million tokens.
//!
//! ```console
//! $ cargo run --release -p cedargate-tokens --example million
//! ```

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cedargate_tokens::{
    Change, ChangeSet, Clock, Directory, DirectoryOptions, Grant, Lookup, Prefix, Secret, SecretVersion, Skew,
    SqliteOptions, SqliteStore, Store, Token, TokenStore as _,
};
use mimalloc::MiMalloc;

/// As `kt` has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Tokens of one transaction while the store is filled.
const AT_ONCE: usize = 10_000;

/// Look-ups that are timed together.
const ROUND: usize = 1_000;

#[tokio::main]
async fn main() {
    let count: usize = std::env::args().nth(1).map_or(1_000_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).await.unwrap();
    let started = Instant::now();
    let secrets = fill(&store, count).await;
    println!("filled with {count} tokens in {:.1} s", started.elapsed().as_secs_f64());
    println!("the file has {} MB", std::fs::metadata(&path).unwrap().len() >> 20);
    store.close().await;

    let before = resident_mb();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).await.unwrap());
    let started = Instant::now();
    let directory = Directory::<u64>::start(Arc::clone(&store), DirectoryOptions::default()).await.unwrap();
    println!("start: {:.2} s for {} secrets", started.elapsed().as_secs_f64(), directory.len());
    println!("memory of the directory: {} MB", resident_mb().saturating_sub(before));

    let mut texts = Vec::new();
    let mut hashes = Vec::new();
    // In an order in which nothing is near to what came before.
    for n in 0..secrets.len().min(200 * ROUND) {
        let secret = &secrets[n.wrapping_mul(7_919) % secrets.len()];
        hashes.push(secret.hash());
        texts.push(secret.expose());
    }
    measure("look-up of a secret by its hash", &hashes, |hash| matches!(directory.look_up(hash), Lookup::Found(_)));
    measure("check, hash and look-up of what is presented", &texts, |text| {
        matches!(directory.present(text), Ok(Lookup::Found(_)))
    });
    let clock = Clock::start(&*store, Skew::Refuse).await.unwrap();
    measure("reading the clock", &texts, |_| clock.now().as_millis() > 0);
}

async fn fill(store: &SqliteStore, count: usize) -> Vec<Secret> {
    let clock = Clock::start(store, Skew::Refuse).await.unwrap();
    let mut secrets = Vec::with_capacity(count);
    while secrets.len() < count {
        let at = clock.now();
        let mut changes = Vec::with_capacity(AT_ONCE);
        for n in secrets.len()..(secrets.len() + AT_ONCE).min(count) {
            let secret = Secret::generate(&Prefix::default()).unwrap();
            changes.push(Change { action: "create", before: None, after: token(n, &secret, at) });
            secrets.push(secret);
        }
        store.apply(&ChangeSet { at, actor: "local:measure".to_owned(), changes }).await.unwrap();
    }
    secrets
}

fn token(n: usize, secret: &Secret, at: cedargate::model::Timestamp) -> Token {
    let mut grant = Grant::general();
    grant.team_id = Some(format!("team-{}", n % 100));
    grant.bindings.models = Some(vec!["gpt-4o".to_owned(), "gpt-4o-mini".to_owned()]);
    grant.bindings.providers = Some(vec!["openai".to_owned()]);
    Token {
        id: Token::new_id().unwrap(),
        name: format!("production-app-{n}"),
        description: None,
        label: None,
        grant,
        allowances: vec!["25.50usd/month".parse().unwrap()],
        created_at: at,
        disabled_at: None,
        revoked_at: None,
        secrets: vec![SecretVersion::first(secret.hash(), secret.public_part().to_owned(), at)],
        last_used_at: None,
        last_refused_at: None,
        revision: 0,
    }
}

/// Median and 99th percentile of the mean of a round.
fn measure<T>(what: &str, inputs: &[T], work: impl Fn(&T) -> bool) {
    let mut rounds = Vec::new();
    for round in inputs.chunks(ROUND) {
        let started = Instant::now();
        let all = round.iter().all(|input| black_box(work(black_box(input))));
        rounds.push(started.elapsed().as_nanos() / round.len() as u128);
        assert!(all);
    }
    rounds.sort_unstable();
    println!("{what}: {} ns, 99th percentile {} ns", rounds[rounds.len() / 2], rounds[rounds.len() * 99 / 100]);
}

/// Memory of this process in the machine, <https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html>.
fn resident_mb() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    (pages * 4096) >> 20
}
