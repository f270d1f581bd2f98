//! Lists of tokens: each row is decided, and many rows by few decisions.

use cedargate_tokens::{Change, ChangeSet, Grant, NewToken, SecretHash, SecretVersion};
use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::Reply;
use crate::plane::{Plane, UNBOUNDED, names, said};

const HIDDEN: &str = "
@id(\"listed-token-is-hidden\")
@status(\"403\")
@code(\"target_not_allowed\")
@message(\"The gateway does not allow this for this token.\")
forbid (principal, action == Action::\"tokens.list\", resource)
when { context has current.name && context.current.name like \"app-*7\" };
";

/// Fails for a token that lives for thousands of years.
const FAILING: &str = "
@id(\"listed-token-cannot-be-decided\")
@status(\"403\")
@code(\"target_not_allowed\")
@message(\"The gateway does not allow this for this token.\")
forbid (principal, action == Action::\"tokens.list\", resource)
when
{
  context has current.expires_at &&
  context.current.expires_at.durationSince(context.at).toMilliseconds() * 1000000000 < 0
};
";

/// Makes tokens `app-0`, `app-1` and so on in teams by turns, without a secret that anybody has.
async fn fill(plane: &Plane, count: usize, teams: usize) {
    let at = plane.world.tokens.now();
    for first in (0..count).step_by(1_000) {
        let changes = (first..count.min(first + 1_000)).map(|n| {
            let mut new = NewToken::new(format!("app-{n}"), Grant::general());
            new.grant.team_id = Some(format!("team-{}", n % teams));
            let mut after = plane.world.tokens.draft(new, at).unwrap().token().clone();
            let mut hash = [7_u8; 32];
            hash[..8].copy_from_slice(&(n as u64).to_be_bytes());
            after.secrets = vec![SecretVersion::first(SecretHash::from_bytes(hash), "kt_live_".to_owned(), at)];
            Change { action: "create", before: None, after }
        });
        let set = ChangeSet { at, actor: "test".to_owned(), changes: changes.collect() };
        plane.world.store.apply(&set).await.unwrap();
    }
}

async fn decisions(plane: &Plane) -> u64 {
    let text = plane.world.metrics().await;
    let counts = text.lines().filter(|line| line.starts_with("cedargate_decisions_total{"));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

async fn page(plane: &Plane, secret: &str, query: &str) -> Reply {
    let reply = plane.send(Method::GET, &format!("/v1/tokens{query}"), secret, &Value::Null).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_tokens_cost_as_many_decisions_as_there_are_teams() {
    let plane = Plane::with(UNBOUNDED).await;
    let admin = plane.integration("admin", &["tokens.list"], None).await;
    let team = plane.integration("team", &["tokens.list"], Some("team-7")).await;
    fill(&plane, 10_000, 50).await;
    for (caller, visible) in [(&admin, 10_000), (&team, 201)] {
        let before = decisions(&plane).await;
        let reply = page(&plane, caller, "").await;
        let made = decisions(&plane).await - before;
        assert!((1..=100).contains(&made), "{made} decisions");
        assert_eq!(names(&reply).len(), visible);
        assert_eq!(reply.json()["has_more"], visible == 10_000, "two of them are the callers");
    }
    let first = page(&plane, &admin, "").await.json();
    let rest = page(&plane, &admin, &format!("?after={}", first["last_id"].as_str().unwrap())).await;
    assert_eq!((names(&rest).len(), &rest.json()["has_more"]), (2, &Value::Bool(false)));
    assert!(page(&plane, &team, "?name=app-8").await.json()["data"].as_array().unwrap().is_empty());
    // To go on after what one does not see is to ask whether it is there.
    let foreign = first["data"][2]["id"].as_str().unwrap();
    let there = plane.send(Method::GET, &format!("/v1/tokens?after={foreign}"), &team, &Value::Null).await;
    let missing = plane.send(Method::GET, "/v1/tokens?after=tok_none", &team, &Value::Null).await;
    assert_eq!((said(&there).0, there.text()), (400, missing.text()));
    // The rows are no events of their own.
    let listed = plane.world.events().await.into_iter().filter(|event| event.action.as_ref() == "tokens.list").count();
    assert!(listed <= 10, "{listed} events");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_policies_ask_for_more_each_row_is_decided_in_pages() {
    let plane = Plane::under(HIDDEN).await;
    let admin = plane.integration("admin", &["tokens.list"], None).await;
    fill(&plane, 3_000, 2).await;
    let mut seen = Vec::new();
    let mut query = String::new();
    let mut pages = 0;
    loop {
        let before = decisions(&plane).await;
        let reply = page(&plane, &admin, &query).await;
        let made = decisions(&plane).await - before;
        assert!(made <= 2_001, "{made} decisions");
        seen.extend(names(&reply));
        pages += 1;
        let json = reply.json();
        if json["has_more"] == false {
            break;
        }
        query = format!("?after={}", json["last_id"].as_str().unwrap());
    }
    assert!(pages > 1, "one page holds them all");
    let expected: Vec<String> = std::iter::once("admin".to_owned())
        .chain((0..3_000).filter(|n| n % 10 != 7).map(|n| format!("app-{n}")))
        .collect();
    assert_eq!(seen.len(), expected.len());
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_decided_is_not_left_out_in_silence() {
    let plane = Plane::under(FAILING).await;
    let admin = plane.integration("admin", &["tokens.list"], None).await;
    assert_eq!(plane.listed(&admin).await, ["admin"]);
    plane.token("eternal", |new| new.grant.expires_at = Some("9000-01-01T00:00:00Z".parse().unwrap())).await;
    let reply = plane.send(Method::GET, "/v1/tokens", &admin, &Value::Null).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.text());
}
