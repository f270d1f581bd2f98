//! Candidate policies beside the live ones: they change nothing but what events say.

use cedargate_tokens::Verdict;
use http::StatusCode;

use crate::reloads::{policies, retire};
use crate::world::{World, config, until};

#[tokio::test(flavor = "multi_thread")]
async fn events_say_what_the_candidates_would_have_decided() {
    let folder = tempfile::tempdir().unwrap();
    let candidates = policies(folder.path());
    retire(&candidates);
    cedargate::write_lock(&candidates).unwrap();
    let mut config = config("");
    config.shadow = Some(candidates.clone());
    let world = World::started(config, |_| {}).await;
    let secret = world.secret("app").await;
    for model in ["o3", "gpt-4o"] {
        assert_eq!(world.client.chat(&secret, model).await.status, StatusCode::OK, "the live policies decide");
    }
    let flips = world.event("app", |event| event.model.as_deref() == Some("o3")).await;
    assert!(flips.would_flip());
    let shadow = flips.shadow.unwrap();
    assert_eq!((shadow.decision, shadow.status), (Verdict::Deny, 403));
    assert_eq!(shadow.policies.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["model-retired"]);
    assert_ne!(Some(shadow.policy_set), flips.policy_set);
    let agrees = world.event("app", |event| event.model.as_deref() == Some("gpt-4o")).await;
    assert!(agrees.shadow.is_some() && !agrees.would_flip());
    until("counted", || async {
        let metrics = world.metrics().await;
        metrics.contains("shadow_would_deny_total 1") && metrics.contains("shadow_agreed_total 1")
    })
    .await;

    std::fs::remove_file(candidates.join("retired.cedar")).unwrap();
    cedargate::write_lock(&candidates).unwrap();
    until("the candidates are reloaded", || async {
        world.client.chat(&secret, "o3").await;
        world
            .events()
            .await
            .iter()
            .any(|event| event.model.as_deref() == Some("o3") && !event.would_flip() && event.shadow.is_some())
    })
    .await;
}
