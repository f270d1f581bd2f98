//! Policies and configuration that change while the gateway works.

use std::fs;
use std::path::{Path, PathBuf};

use http::StatusCode;

use crate::world::{World, text, until};

const RETIRED: &str = "
@id(\"model-retired\")
@code(\"model_not_allowed\")
@message(\"The gateway no longer offers this model.\")
forbid (principal, action, resource in ModelName::\"o3\");
";

/// The default policies as a folder with its lock.
pub fn policies(folder: &Path) -> PathBuf {
    let policies = folder.join("policies");
    fs::create_dir_all(&policies).unwrap();
    for (name, text) in cedargate::Bundle::default_set().files() {
        fs::write(policies.join(name), text).unwrap();
    }
    cedargate::write_lock(&policies).unwrap();
    policies
}

pub fn retire(policies: &Path) {
    fs::write(policies.join("retired.cedar"), RETIRED).unwrap();
}

fn configuration(folder: &Path, tables: &str) -> PathBuf {
    let file = folder.join("gateway.toml");
    fs::write(&file, text(&format!("policies = \"policies\"\n{tables}"))).unwrap();
    file
}

async fn status(world: &World, secret: &str, model: &str) -> StatusCode {
    world.client.chat(secret, model).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_loaded_once_its_lock_fits_and_a_bad_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let policies = policies(folder.path());
    let world = World::of_file(&configuration(folder.path(), "")).await;
    let secret = world.secret("app").await;
    assert_eq!(status(&world, &secret, "o3").await, StatusCode::OK);

    retire(&policies);
    // The lock does not name the new file: the folder may be half copied, and an explicit reload refuses it, too.
    assert!(world.running.reload().await.is_err());
    assert_eq!(status(&world, &secret, "o3").await, StatusCode::OK);
    cedargate::write_lock(&policies).unwrap();
    until("the change is in force", || async { status(&world, &secret, "o3").await == StatusCode::FORBIDDEN }).await;

    fs::write(policies.join("retired.cedar"), "forbid (").unwrap();
    cedargate::write_lock(&policies).unwrap();
    assert!(world.running.reload().await.is_err());
    assert_eq!(status(&world, &secret, "o3").await, StatusCode::FORBIDDEN, "the last good set stays in force");

    fs::remove_file(policies.join("policies.lock")).unwrap();
    fs::remove_file(policies.join("retired.cedar")).unwrap();
    assert!(world.running.reload().await.is_err(), "an explicit reload needs a lock, too");
    assert_eq!(status(&world, &secret, "o3").await, StatusCode::FORBIDDEN);
    let unlocked = "unlocked = true\n[providers.echo]\ndialect = \"echo\"\n[[models]]\nid = \"echo/o3\"\n";
    configuration(folder.path(), unlocked);
    world.running.reload().await.unwrap();
    assert_eq!(status(&world, &secret, "o3").await, StatusCode::OK, "the configuration says that it is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_replaced_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    policies(folder.path());
    let echo = "[providers.echo]\ndialect = \"echo\"\n[[models]]\nid = \"echo/a\"\n";
    let world = World::of_file(&configuration(folder.path(), echo)).await;
    let secret = world.secret("app").await;
    assert_eq!(status(&world, &secret, "b").await, StatusCode::NOT_FOUND);

    configuration(folder.path(), &format!("{echo}[[models]]\nid = \"nobody/b\"\n"));
    let refused = world.running.reload().await.unwrap_err().to_string();
    assert!(refused.contains("there is no provider `nobody`"), "{refused}");
    assert_eq!(status(&world, &secret, "a").await, StatusCode::OK);

    configuration(folder.path(), &format!("{echo}[[models]]\nid = \"echo/b\"\n"));
    until("the change is noticed", || async { status(&world, &secret, "b").await == StatusCode::OK }).await;

    // A deploy puts a link in the place of the file, and another file where the link leads.
    let (file, data) = (folder.path().join("gateway.toml"), folder.path().join("data"));
    fs::create_dir(&data).unwrap();
    fs::rename(&file, data.join("gateway.toml")).unwrap();
    std::os::unix::fs::symlink("data/gateway.toml", &file).unwrap();
    fs::create_dir(folder.path().join("data2")).unwrap();
    fs::write(folder.path().join("data2/gateway.toml"), text(&format!("policies = \"policies\"\n{echo}"))).unwrap();
    fs::remove_dir_all(&data).unwrap();
    fs::rename(folder.path().join("data2"), &data).unwrap();
    until("the change is noticed", || async { status(&world, &secret, "b").await == StatusCode::NOT_FOUND }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_teams_of_the_configuration_are_facts_of_policies() {
    let folder = tempfile::tempdir().unwrap();
    policies(folder.path());
    let tables = |group: &str| {
        format!(
            "[providers.echo]\ndialect = \"echo\"\n[[models]]\nid = \"echo/a\"\ngroups = [\"{group}\"]\n\
             [[models]]\nid = \"echo/b\"\n[teams.red]\nmodels = [\"b\"]\n"
        )
    };
    let world = World::of_file(&configuration(folder.path(), &tables("tiny"))).await;
    let tiny = world.token("tiny", |new| new.grant.bindings.models = Some(vec!["group:tiny".to_owned()])).await;
    let red = world.token("red", |new| new.grant.team_id = Some("red".to_owned())).await;
    assert_eq!(status(&world, tiny.secret.expose(), "a").await, StatusCode::OK);
    assert_eq!(status(&world, tiny.secret.expose(), "b").await, StatusCode::FORBIDDEN);
    assert_eq!(status(&world, red.secret.expose(), "a").await, StatusCode::FORBIDDEN);
    assert_eq!(status(&world, red.secret.expose(), "b").await, StatusCode::OK);
    configuration(folder.path(), &tables("huge"));
    world.running.reload().await.unwrap();
    assert_eq!(status(&world, tiny.secret.expose(), "a").await, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_whose_attributes_fit_no_more_are_counted_and_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let policies = policies(folder.path());
    let schema = fs::read_to_string(policies.join("schema.cedarschema")).unwrap();
    let with = |attributes: &str| {
        let declared = format!("type PrincipalAttributes = {{ {attributes} }};");
        fs::write(policies.join("schema.cedarschema"), schema.replace("type PrincipalAttributes = {};", &declared))
            .unwrap();
        cedargate::write_lock(&policies).unwrap();
    };
    with("tier?: Long");
    let world = World::of_file(&configuration(folder.path(), "")).await;
    let tier = |new: &mut cedargate_tokens::NewToken| {
        new.grant.attributes = Some(cedargate::model::Attributes::from_iter([("tier", 3.into())]));
    };
    let gold = world.token("gold", tier).await.secret;
    let gone = world.token("gone", tier).await.token;
    world.tokens.revoke(&cedargate_tokens::Selector::Id(gone.id), None).await.unwrap();
    world.secret("plain").await;
    assert_eq!(status(&world, gold.expose(), "gpt-4o").await, StatusCode::OK);
    for (attributes, count) in [("colour?: String", 1), ("tier?: Long", 0)] {
        with(attributes);
        world.running.reload().await.unwrap();
        let line = format!("cedargate_gateway_tokens_unfit {count}");
        until("the tokens are counted", || async { world.metrics().await.contains(&line) }).await;
        let expected = if count == 0 { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        assert_eq!(status(&world, gold.expose(), "gpt-4o").await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reload_that_is_refused_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let policies = policies(folder.path());
    let file = configuration(folder.path(), "");
    let world = World::of_file(&file).await;
    let refused = async || {
        let metrics = world.metrics().await;
        let mark = "cedargate_gateway_reloads_total{result=\"refused\"} ";
        metrics.lines().find_map(|line| line.strip_prefix(mark)).unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(refused().await, 0);
    let whole = fs::read_to_string(&file).unwrap();
    let (lock, some) = (policies.join("policies.lock"), policies.join("schema.cedarschema"));
    let (locked, schema) = (fs::read_to_string(&lock).unwrap(), fs::read_to_string(&some).unwrap());
    let mut counted = 0;
    for break_it in [
        &|| fs::remove_file(&lock).unwrap(),
        &|| fs::write(&some, format!("{schema}\n")).unwrap(),
        &|| fs::remove_file(&some).unwrap(),
        &|| fs::write(&file, "gateway_id = 3").unwrap(),
        &|| fs::rename(&policies, folder.path().join("away")).unwrap(),
    ] as [&dyn Fn(); 5]
    {
        break_it();
        assert!(world.running.reload().await.is_err());
        let now = refused().await;
        assert!(now > counted, "{now}");
        let _ = fs::rename(folder.path().join("away"), &policies);
        fs::write(&lock, &locked).unwrap();
        fs::write(&some, &schema).unwrap();
        fs::write(&file, &whole).unwrap();
        world.running.reload().await.unwrap();
        counted = refused().await;
    }
    // What is noticed counts as what is asked for does.
    fs::write(&file, "gateway_id = 3").unwrap();
    until("it is noticed", || async { refused().await > counted }).await;
}
