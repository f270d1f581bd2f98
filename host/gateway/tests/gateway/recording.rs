//! Records, and the bundles that decided them.

use std::fs;

use cedargate::model::Record;
use cedargate::{Bundle, Pdp};
use http::StatusCode;

use crate::reloads::{policies, retire};
use crate::world::{World, config};

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_replayed_with_the_rules_that_decided_it() {
    let folder = tempfile::tempdir().unwrap();
    let policies = policies(folder.path());
    let file = folder.path().join("requests.jsonl");
    let mut config = config("");
    config.policies = Some(policies.clone());
    config.record = Some(file.clone());
    let world = World::started(config, |_| {}).await;
    let token = world
        .token("app", |new| {
            new.grant.bindings.models = Some(vec!["o3".to_owned()]);
            new.allowances = vec!["3requests/day".parse().unwrap()];
        })
        .await;
    let secret = token.secret.expose();
    assert_eq!(world.client.chat(secret, "o3").await.status, StatusCode::OK);
    assert_eq!(world.client.chat(secret, "gpt-4o").await.status, StatusCode::FORBIDDEN);
    retire(&policies);
    cedargate::write_lock(&policies).unwrap();
    world.running.reload().await.unwrap();
    assert_eq!(world.client.chat(secret, "o3").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.client.get("/v1/models", secret).await.status, StatusCode::OK);
    let World { running, store, folder: _world, tokens, .. } = world;
    running.shutdown().await;
    drop((store, tokens));

    let lines = until_written(&file, 4).await;
    let mut sets = Vec::new();
    for line in lines.lines() {
        assert!(!line.contains(secret), "a record holds no secret");
        let record = Record::from_line(line).unwrap();
        let digest = record.policy_set().unwrap().to_owned();
        let bundle = folder.path().join("requests.jsonl.bundles").join(digest.replace(':', "-"));
        let pdp = Pdp::builder()
            .bundle(Bundle::from_dir(bundle).unwrap())
            .deadline(std::time::Duration::from_secs(20))
            .build()
            .unwrap();
        assert_eq!(pdp.info().digest(), digest);
        let principal = pdp.principal_json(record.principal()).unwrap();
        let decision = pdp.decide_json(&principal, record.request(), "", record.at());
        let expect = record.expect().unwrap();
        assert_eq!(decision.code(), expect.code.as_deref(), "{line}");
        let policies: Vec<_> = decision.policies().map(str::to_owned).collect();
        assert_eq!(Some(policies), expect.policies);
        sets.push(digest);
    }
    sets.dedup();
    assert_eq!(sets.len(), 2);
}

/// The recording ends with the last reference to the gateway, which a connection may hold for a moment longer.
async fn until_written(file: &std::path::Path, lines: usize) -> String {
    crate::world::until("everything is written", || async {
        fs::read_to_string(file).is_ok_and(|text| text.lines().count() >= lines)
    })
    .await;
    fs::read_to_string(file).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_was_moved_away_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (file, moved) = (folder.path().join("requests.jsonl"), folder.path().join("requests.1.jsonl"));
    let mut config = config("");
    config.record = Some(file.clone());
    let world = World::started(config, |_| {}).await;
    let secret = world.secret("app").await;
    assert_eq!(world.client.chat(&secret, "o3").await.status, StatusCode::OK);
    until_written(&file, 1).await;
    fs::rename(&file, &moved).unwrap();
    fs::remove_dir_all(folder.path().join("requests.jsonl.bundles")).unwrap();
    assert_eq!(world.client.chat(&secret, "o3").await.status, StatusCode::OK);
    until_written(&moved, 2).await;
    world.running.reload().await.unwrap();
    assert_eq!(world.client.chat(&secret, "gpt-4o").await.status, StatusCode::OK);
    let line = until_written(&file, 1).await;
    assert_eq!(fs::read_to_string(&moved).unwrap().lines().count(), 2);
    let digest = Record::from_line(line.trim_end()).unwrap().policy_set().unwrap().replace(':', "-");
    assert!(folder.path().join("requests.jsonl.bundles").join(digest).join("policies.lock").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_bounded_and_what_it_lacks_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.jsonl");
    let mut config = config("[limits]\nrecord_bytes = 4096\n");
    config.record = Some(file.clone());
    let world = World::started(config, |_| {}).await;
    let secret = world.secret("app").await;
    const ASKED: usize = 40;
    for _ in 0..ASKED {
        assert_eq!(world.client.chat(&secret, "o3").await.status, StatusCode::OK);
    }
    let dropped = async || {
        let metrics = world.metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("cedargate_gateway_records_dropped_total "));
        line.unwrap().parse::<usize>().unwrap()
    };
    let written = || fs::read_to_string(&file).unwrap().lines().count();
    crate::world::until("all are accounted for", || async { written() + dropped().await == ASKED }).await;
    assert!(written() > 0 && dropped().await > 0 && fs::metadata(&file).unwrap().len() <= 4096);
    // Whoever cuts it short, or moves it away, makes room.
    fs::rename(&file, folder.path().join("moved")).unwrap();
    world.running.reload().await.unwrap();
    let before = dropped().await;
    assert_eq!(world.client.chat(&secret, "o3").await.status, StatusCode::OK);
    until_written(&file, 1).await;
    fs::File::options().write(true).open(&file).unwrap().set_len(0).unwrap();
    assert_eq!(world.client.chat(&secret, "o3").await.status, StatusCode::OK);
    until_written(&file, 1).await;
    assert_eq!(dropped().await, before);
}
