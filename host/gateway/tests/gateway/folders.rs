//! Folders of policies as deploys leave them: copied, renamed, linked, mounted, gone and back.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use http::StatusCode;

use crate::reloads::{policies, retire};
use crate::world::{World, config, until};

const CLOSED: &str = "
@id(\"nobody-chats\")
@code(\"closed_today\")
forbid (principal, action == Action::\"chat.completions\", resource);
";

/// The default policies in a folder of this name.
fn release(folder: &Path, name: &str) -> PathBuf {
    let release = folder.join(name);
    fs::create_dir_all(&release).unwrap();
    fs::rename(policies(folder), &release).unwrap();
    release
}

/// The same, and nobody chats.
fn closed(folder: &Path, name: &str) -> PathBuf {
    let release = release(folder, name);
    fs::write(release.join("closed.cedar"), CLOSED).unwrap();
    cedargate::write_lock(&release).unwrap();
    release
}

async fn of_policies(policies: &Path) -> (World, String) {
    let mut config = config("");
    config.policies = Some(policies.to_owned());
    let world = World::started(config, |_| {}).await;
    let secret = world.secret("app").await;
    (world, secret)
}

async fn status(world: &World, secret: &str) -> StatusCode {
    world.client.chat(secret, "gpt-4o").await.status
}

async fn until_status(world: &World, secret: &str, expected: StatusCode) {
    until("the folder is in force", || async { status(world, secret).await == expected }).await;
}

/// Makes all files look as if they had been written long ago.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = File::open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(1_000_000)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_noticed_when_another_takes_its_place_and_when_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let place = release(folder.path(), "now");
    let (world, secret) = of_policies(&place).await;
    assert_eq!(status(&world, &secret).await, StatusCode::OK);

    let next = closed(folder.path(), "next");
    let away = folder.path().join("away");
    fs::rename(&place, &away).unwrap();
    fs::rename(&next, &place).unwrap();
    until_status(&world, &secret, StatusCode::FORBIDDEN).await;

    // What was in force before comes back as it was, older than what it replaces.
    age(&away);
    fs::remove_dir_all(&place).unwrap();
    fs::rename(&away, &place).unwrap();
    until_status(&world, &secret, StatusCode::OK).await;

    // It is still looked at.
    fs::write(place.join("closed.cedar"), CLOSED).unwrap();
    cedargate::write_lock(&place).unwrap();
    until_status(&world, &secret, StatusCode::FORBIDDEN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_leads_elsewhere_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path(), "release-1");
    closed(folder.path(), "release-2");
    age(&folder.path().join("release-2"));
    let place = folder.path().join("current");
    symlink("release-1", &place).unwrap();
    let (world, secret) = of_policies(&place).await;
    assert_eq!(status(&world, &secret).await, StatusCode::OK);
    for (release, expected) in
        [("release-2", StatusCode::FORBIDDEN), ("release-1", StatusCode::OK), ("release-2", StatusCode::FORBIDDEN)]
    {
        let swapped = folder.path().join("swapped");
        symlink(release, &swapped).unwrap();
        fs::rename(&swapped, &place).unwrap();
        until_status(&world, &secret, expected).await;
    }
}

/// A release as Kubernetes mounts it: every file is a link through `..data`, which is a link to the release.
fn mount(place: &Path, release: &Path, name: &str) {
    fs::create_dir_all(place).unwrap();
    fs::rename(release, place.join(name)).unwrap();
    for entry in fs::read_dir(place.join(name)).unwrap() {
        let file = entry.unwrap().file_name();
        let link = place.join(&file);
        if link.symlink_metadata().is_err() {
            symlink(Path::new("..data").join(&file), link).unwrap();
        }
    }
    symlink(name, place.join("..data_tmp")).unwrap();
    fs::rename(place.join("..data_tmp"), place.join("..data")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_map_of_files_is_read_and_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("mounted");
    mount(&place, &release(folder.path(), "1"), "..2026_01");
    let (world, secret) = of_policies(&place).await;
    assert_eq!(status(&world, &secret).await, StatusCode::OK);
    mount(&place, &closed(folder.path(), "2"), "..2026_02");
    until_status(&world, &secret, StatusCode::FORBIDDEN).await;
    fs::remove_dir_all(place.join("..2026_01")).unwrap();
    // A file that the newest release lacks is a link to nothing, which the system's own mounts take away.
    fs::remove_file(place.join("closed.cedar")).unwrap();
    mount(&place, &release(folder.path(), "3"), "..2026_03");
    until_status(&world, &secret, StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_on_its_way_is_not_in_force_before_its_lock_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let place = release(folder.path(), "now");
    retire(&place);
    cedargate::write_lock(&place).unwrap();
    let (world, secret) = of_policies(&place).await;
    let retired = || async { world.client.chat(&secret, "o3").await.status };
    assert_eq!(retired().await, StatusCode::FORBIDDEN);

    let next = closed(folder.path(), "next");
    retire(&next);
    cedargate::write_lock(&next).unwrap();
    fs::remove_dir_all(&place).unwrap();
    fs::create_dir(&place).unwrap();
    let mut names: Vec<_> = fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    // What forbids comes last, and the lock after it.
    names.sort_by_key(|name| (name == "policies.lock", name == "retired.cedar" || name == "closed.cedar"));
    for name in names {
        if name == "retired.cedar" || name == "policies.lock" {
            let refused = world.running.reload().await.unwrap_err().to_string();
            assert!(refused.contains("no `policies.lock`") && refused.contains("--unlocked"), "{refused}");
            assert!(refused.contains(&format!("kt policy lock {}", place.display())), "{refused}");
        }
        assert_eq!(retired().await, StatusCode::FORBIDDEN, "what was in force stays in force");
        fs::copy(next.join(&name), place.join(&name)).unwrap();
    }
    until("the folder is in force", || async {
        assert_eq!(retired().await, StatusCode::FORBIDDEN);
        status(&world, &secret).await == StatusCode::FORBIDDEN
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_need_a_lock_too_and_are_noticed_in_another_folders_place() {
    let folder = tempfile::tempdir().unwrap();
    let place = closed(folder.path(), "next");
    fs::remove_file(place.join("policies.lock")).unwrap();
    let mut unlocked = config("");
    unlocked.shadow = Some(place.clone());
    let refused = World::try_start(unlocked.clone()).await.err().unwrap();
    assert!(refused.contains("no `policies.lock`") && refused.contains("kt policy lock"), "{refused}");
    unlocked.unlocked = true;
    let world = World::started(unlocked, |_| {}).await;
    let secret = world.secret("app").await;
    assert_eq!(status(&world, &secret).await, StatusCode::OK);
    assert!(world.event("app", |event| event.shadow.is_some()).await.would_flip());

    let agreeing = release(folder.path(), "agreeing");
    fs::remove_file(agreeing.join("policies.lock")).unwrap();
    fs::remove_dir_all(&place).unwrap();
    fs::rename(&agreeing, &place).unwrap();
    until("the candidates are others", || async {
        status(&world, &secret).await;
        world.events().await.iter().any(|event| event.shadow.is_some() && !event.would_flip())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_lock_is_noticed_where_it_is_taken_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let place = release(folder.path(), "now");
    fs::remove_file(place.join("policies.lock")).unwrap();
    let mut config = config("");
    config.policies = Some(place.clone());
    let refused = World::try_start(config.clone()).await.err().unwrap();
    assert!(refused.contains("no `policies.lock`") && refused.contains("--unlocked"), "{refused}");
    config.unlocked = true;
    let world = World::started(config, |_| {}).await;
    let secret = world.secret("app").await;
    assert_eq!(status(&world, &secret).await, StatusCode::OK);
    fs::write(place.join("closed.cedar"), CLOSED).unwrap();
    until_status(&world, &secret, StatusCode::FORBIDDEN).await;
    // A lock that is there must fit.
    fs::write(place.join("policies.lock"), "").unwrap();
    fs::remove_file(place.join("closed.cedar")).unwrap();
    assert!(world.running.reload().await.unwrap_err().to_string().contains("not named"));
    assert_eq!(status(&world, &secret).await, StatusCode::FORBIDDEN);
}
