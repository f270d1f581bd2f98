//! More requests at once than processors to decide them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;

use crate::world::World;

/// Requests at once.
const BURST: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_beside_busy_neighbours_is_decided_or_shed_and_never_times_out() {
    // The deadline of a gateway that nobody configured.
    let world = Arc::new(World::with("[timeouts]\ndecision_ms = 10\nshutdown_ms = 20000\n").await);
    // Counters differ each time, so that nothing is remembered: every request enters the component.
    let token = world.token("burst", |new| new.allowances = vec!["100000requests/hour".parse().unwrap()]).await;
    let secret = Arc::new(token.secret.expose().to_owned());
    let busy = Arc::new(AtomicBool::new(true));
    let neighbours: Vec<_> = (0..8)
        .map(|_| {
            let busy = Arc::clone(&busy);
            std::thread::spawn(move || {
                while busy.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let tasks: Vec<_> = (0..BURST)
        .map(|_| {
            let (world, secret) = (Arc::clone(&world), Arc::clone(&secret));
            tokio::spawn(async move { world.client.chat(&secret, "gpt-4o").await })
        })
        .collect();
    let mut decided = 0;
    for task in tasks {
        let reply = task.await.unwrap();
        match reply.status {
            StatusCode::OK => decided += 1,
            StatusCode::SERVICE_UNAVAILABLE => assert_eq!(reply.code(), "policy_busy"),
            other => panic!("{other}: {}", reply.text()),
        }
    }
    busy.store(false, Ordering::Relaxed);
    neighbours.into_iter().for_each(|neighbour| neighbour.join().unwrap());
    assert!(decided > 0);
}
