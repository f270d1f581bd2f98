//! Bundles in folders, and their locks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use cedargate::{Bundle, BundleError, FolderStamp, write_lock};
use tempfile::TempDir;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("schema.cedarschema"), "entity A;").unwrap();
    fs::create_dir(folder.path().join("topic")).unwrap();
    fs::write(folder.path().join("topic/a.cedar"), "@id(\"a\")\npermit(principal, action, resource);").unwrap();
    fs::write(folder.path().join("a.cases.jsonl"), "not part of it").unwrap();
    fs::write(folder.path().join(".hidden.cedar"), "not part of it").unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    Bundle::from_dir(folder).unwrap().files().map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn only_a_bundles_files_are_read() {
    assert_eq!(names(folder().path()), ["schema.cedarschema", "topic/a.cedar"]);
}

#[test]
fn the_default_policies_are_the_ones_that_their_lock_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").canonicalize().unwrap();
    let read = Bundle::from_dir(&folder).unwrap_or_else(|error| panic!("`kt policy lock policies`: {error}"));
    assert!(read.files().eq(Bundle::default_set().files()));
}

#[test]
fn the_lock_names_what_differs() {
    let folder = folder();
    write_lock(folder.path()).unwrap();
    assert_eq!(names(folder.path()).len(), 2);
    fs::write(folder.path().join("topic/a.cedar"), "changed").unwrap();
    fs::write(folder.path().join("b.cedar"), "added").unwrap();
    let BundleError::LockMismatch(mismatch) = Bundle::from_dir(folder.path()).unwrap_err() else { panic!("read") };
    assert_eq!(
        (mismatch.changed(), mismatch.added()),
        (&["topic/a.cedar".to_owned()][..], &["b.cedar".to_owned()][..])
    );
    fs::remove_file(folder.path().join("topic/a.cedar")).unwrap();
    let BundleError::LockMismatch(mismatch) = Bundle::from_dir(folder.path()).unwrap_err() else { panic!("read") };
    assert_eq!(mismatch.missing(), ["topic/a.cedar"]);
    assert!(mismatch.to_string().contains("missing `topic/a.cedar`"));
}

#[test]
fn a_lock_that_cannot_be_read_is_refused() {
    let folder = folder();
    fs::write(folder.path().join("policies.lock"), "nonsense\n").unwrap();
    assert!(matches!(Bundle::from_dir(folder.path()).unwrap_err(), BundleError::LockInvalid { line: 1, .. }));
}

#[test]
fn links_may_not_lead_out_of_the_folder() {
    let outside = folder();
    let folder = folder();
    symlink(folder.path().join("topic/a.cedar"), folder.path().join("inside.cedar")).unwrap();
    assert_eq!(names(folder.path()).len(), 3);
    symlink(outside.path().join("topic/a.cedar"), folder.path().join("outside.cedar")).unwrap();
    let error = Bundle::from_dir(folder.path()).unwrap_err();
    assert!(matches!(&error, BundleError::LinkOutside { file } if file == "outside.cedar"), "{error}");
}

#[test]
fn a_link_in_circles_ends() {
    let folder = folder();
    symlink(folder.path(), folder.path().join("topic/again")).unwrap();
    assert!(matches!(Bundle::from_dir(folder.path()).unwrap_err(), BundleError::TooMany { .. }));
}

#[test]
fn special_files_are_refused() {
    let folder = folder();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("pipe.cedar"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    assert!(matches!(Bundle::from_dir(folder.path()).unwrap_err(), BundleError::SpecialFile { .. }));
}

#[test]
fn sizes_encodings_and_settings_are_checked() {
    let folder = folder();
    fs::write(folder.path().join("bundle.toml"), "[limits]\npolicy = 3\n").unwrap();
    let error = Bundle::from_dir(folder.path()).unwrap_err();
    assert!(error.to_string().contains("unknown limit `policy`"), "{error}");
    fs::write(folder.path().join("bundle.toml"), "team = \"open\"\n").unwrap();
    assert!(matches!(Bundle::from_dir(folder.path()).unwrap_err(), BundleError::Settings { .. }));
    fs::write(folder.path().join("bundle.toml"), "teams = \"closed\"\n[limits]\npolicies = 3\n").unwrap();
    assert_eq!(names(folder.path()).len(), 3);
    fs::write(folder.path().join("topic/a.cedar"), [0xff, 0xfe]).unwrap();
    assert!(matches!(Bundle::from_dir(folder.path()).unwrap_err(), BundleError::NotUtf8 { .. }));
    fs::write(folder.path().join("topic/a.cedar"), vec![b' '; (16 << 20) + 1]).unwrap();
    assert!(matches!(Bundle::from_dir(folder.path()).unwrap_err(), BundleError::TooLarge { .. }));
}

#[test]
fn a_server_needs_the_lock() {
    let folder = folder();
    let error = Bundle::from_locked_dir(folder.path()).unwrap_err();
    assert!(matches!(error, BundleError::NoLock), "{error}");
    assert!(error.to_string().contains("kt policy lock"), "{error}");
    write_lock(folder.path()).unwrap();
    assert_eq!(Bundle::from_locked_dir(folder.path()).unwrap().files().count(), 2);
    // As it looks before its lines are written.
    fs::write(folder.path().join("policies.lock"), "").unwrap();
    assert!(matches!(Bundle::from_locked_dir(folder.path()).unwrap_err(), BundleError::LockMismatch(_)));
}

#[test]
fn a_look_at_a_folder_shows_whether_its_files_are_the_same() {
    let (folder, other) = (folder(), folder());
    let path = folder.path();
    let look = || FolderStamp::of(path).unwrap();
    let before = look();
    assert_eq!(before, look());
    assert_ne!(before, FolderStamp::of(other.path()).unwrap(), "the same texts in other files");
    fs::write(path.join("a.cases.jsonl"), "still not part of it").unwrap();
    assert_eq!(before, look());

    let file = path.join("topic/a.cedar");
    let (text, written) = (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().modified().unwrap());
    fs::remove_file(&file).unwrap();
    let without = look();
    assert_ne!(before, without);
    fs::write(&file, &text).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
    assert_ne!(before, look(), "another file with the same name, text and time");
    write_lock(path).unwrap();
    let locked = look();
    assert_ne!(without, locked);
    let away = path.with_extension("away");
    fs::rename(path, &away).unwrap();
    assert!(matches!(FolderStamp::of(path).unwrap_err(), BundleError::Io { path: place, .. } if place == path));
    fs::rename(&away, path).unwrap();
    assert_eq!(locked, look(), "moved away and back");
}
