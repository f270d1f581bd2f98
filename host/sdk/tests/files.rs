//! Where files may lie: owners, modes, links and names of every part of the way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use cedargate::files::{Distrust, Folder, Readers};
use tempfile::TempDir;

/// Somebody else.
const OTHER: u32 = 54_321;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn name(name: &str) -> &OsStr {
    OsStr::new(name)
}

/// Whether files can be given away here.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_folder_below_one_that_others_may_write_to_is_refused_with_its_cure() {
    let top = folder();
    let inner = top.path().join("a/b");
    Folder::make(&inner).unwrap();
    assert_eq!(fs::metadata(&inner).unwrap().mode() & 0o777, 0o700);
    for bad in [0o777, 0o770, 0o702, 0o720, 0o2775] {
        mode(top.path(), bad);
        let refused = Folder::open(&inner).unwrap_err();
        assert!(matches!(&refused, Distrust::Writable { path } if path == top.path()), "{bad:o}: {refused}");
        assert!(refused.to_string().contains(&format!("`chmod go-w {}`", top.path().display())), "{refused}");
    }
    for good in [0o700, 0o755, 0o1777, 0o1770, 0o711] {
        mode(top.path(), good);
        assert_eq!(Folder::open(&inner).unwrap().own().unwrap().path(), inner, "{good:o}");
    }
    mode(top.path(), 0o1777);
    let shared = Folder::open(top.path()).unwrap().own().unwrap_err();
    assert!(matches!(&shared, Distrust::Shared { .. }) && shared.to_string().contains("of your own"), "{shared}");
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    if !is_root() {
        return;
    }
    let top = folder();
    mode(top.path(), 0o1777);
    let (theirs, file) = (top.path().join("theirs"), top.path().join("file"));
    fs::create_dir(&theirs).unwrap();
    fs::write(&file, "").unwrap();
    mode(&file, 0o600);
    let shared = Folder::open(top.path()).unwrap();
    assert!(shared.append(name("file")).is_ok() && Folder::make(theirs.join("x")).is_ok());
    chown(&theirs, Some(OTHER), None).unwrap();
    chown(&file, Some(OTHER), None).unwrap();
    let is_theirs = |refused: Distrust| matches!(&refused, Distrust::Owner { owner: OTHER, .. });
    assert!(is_theirs(Folder::open(theirs.join("x")).unwrap_err()));
    assert!(is_theirs(shared.folder(name("theirs")).unwrap_err()));
    assert!(is_theirs(shared.append(name("file")).unwrap_err()));
    assert!(is_theirs(shared.read(name("file"), 10).unwrap_err()));
    assert!(is_theirs(shared.look(name("file"), Readers::Any).unwrap_err()));
    // Whoever puts a link there chooses the folder.
    let (mine, link) = (folder(), top.path().join("link"));
    symlink(mine.path(), &link).unwrap();
    assert_eq!(Folder::open(&link).unwrap().path(), mine.path());
    lchown(&link, Some(OTHER), None).unwrap();
    assert!(is_theirs(Folder::open(&link).unwrap_err()));
}

#[test]
fn links_of_ones_own_lead_to_folders_that_are_asked_themselves() {
    let top = folder();
    let at = |name: &str| top.path().join(name);
    Folder::make(at("real/deep")).unwrap();
    symlink("real", at("relative")).unwrap();
    symlink(at("relative"), at("absolute")).unwrap();
    symlink("../real/deep/..", at("real/back")).unwrap();
    for (path, real) in [
        ("relative/deep", "real/deep"),
        ("absolute/deep", "real/deep"),
        ("absolute/back/deep", "real/deep"),
        ("real/deep/../../absolute", "real"),
        ("./real//deep/.", "real/deep"),
    ] {
        assert_eq!(Folder::open(at(path)).unwrap().path(), at(real), "{path}");
    }
    mode(&at("real"), 0o777);
    assert!(matches!(Folder::open(at("absolute/deep")).unwrap_err(), Distrust::Writable { .. }));
    symlink("circle", at("circle")).unwrap();
    assert!(Folder::open(at("circle")).unwrap_err().cause().is_some());
    fs::write(at("file"), "").unwrap();
    for path in ["file", "file/x", "none"] {
        assert!(Folder::open(at(path)).unwrap_err().cause().is_some(), "{path}");
    }
}

#[test]
fn no_file_is_reached_through_a_link_or_by_one_of_two_names() {
    let top = folder();
    let (open, at) = (Folder::open(top.path()).unwrap(), |name: &str| top.path().join(name));
    let target = top.path().join("target");
    symlink(&target, at("dangling")).unwrap();
    let is_link = |refused: Distrust| matches!(&refused, Distrust::Link { .. });
    assert!(is_link(open.append(name("dangling")).unwrap_err()));
    assert!(is_link(open.look(name("dangling"), Readers::Any).unwrap_err()));
    assert!(!open.touch(name("dangling")).unwrap());
    assert!(!target.exists(), "nothing was made where it leads");
    fs::write(&target, "kept").unwrap();
    assert!(is_link(open.append(name("dangling")).unwrap_err()));
    assert!(is_link(open.read(name("dangling"), 10).unwrap_err()));
    assert!(open.write_new(name("dangling"), &[b"x"]).unwrap_err().cause().is_some());
    open.write(name("dangling"), &[b"a file of its own"]).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"kept");
    symlink(top.path(), at("folder")).unwrap();
    assert!(is_link(open.folder(name("folder")).unwrap_err()));

    fs::hard_link(&target, at("second")).unwrap();
    mode(&target, 0o600);
    assert!(matches!(open.append(name("target")).unwrap_err(), Distrust::Names { .. }));
    fs::remove_file(at("second")).unwrap();
    assert!(open.append(name("target")).is_ok());
    for (bits, readers, fits) in [
        (0o602, Readers::Any, false),
        (0o620, Readers::Any, false),
        (0o644, Readers::Any, true),
        (0o644, Readers::Owner, false),
    ] {
        mode(&target, bits);
        assert_eq!(open.look(name("target"), readers).is_ok(), fits, "{bits:o} {readers:?}");
    }
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    assert!(matches!(open.append(name("pipe")).unwrap_err(), Distrust::Kind { .. }), "nobody waits for its reader");
    for way in ["", ".", "..", "../target", "folder/target", "/etc/hostname", "target/"] {
        assert!(open.append(name(way)).unwrap_err().cause().is_some(), "`{way}` is more than a name");
        assert!(open.read(name(way), 100).is_err() && open.look(name(way), Readers::Any).is_err());
        assert!(
            open.write(name(way), &[]).is_err() && open.touch(name(way)).is_err() && open.folder(name(way)).is_err()
        );
    }
}

#[test]
fn what_is_made_is_for_its_owner() {
    let top = folder();
    let open = Folder::open(top.path()).unwrap();
    open.append(name("appended")).unwrap().write_all(b"line\n").unwrap();
    open.append(name("appended")).unwrap().write_all(b"line\n").unwrap();
    assert_eq!(open.read(name("appended"), 100).unwrap().unwrap(), b"line\nline\n");
    assert!(matches!(open.read(name("appended"), 9).unwrap_err(), Distrust::Size { limit: 9, .. }));
    open.write_new(name("new"), &[b"a", b"b"]).unwrap();
    assert!(open.write_new(name("new"), &[b"c"]).is_err());
    // What a process of the same number left behind is in nobody's way.
    for number in 0..64 {
        fs::write(top.path().join(format!(".new.{}.{number}", std::process::id())), "left").unwrap();
    }
    open.write(name("new"), &[b"d"]).unwrap();
    for number in 0..64 {
        let _ = fs::remove_file(top.path().join(format!(".new.{}.{number}", std::process::id())));
    }
    assert_eq!(open.read(name("new"), 100).unwrap().unwrap(), b"d");
    assert!(open.touch(name("touched")).unwrap());
    assert_eq!(open.read(name("none"), 100).unwrap(), None);
    assert_eq!(open.look(name("none"), Readers::Owner).unwrap(), None);
    open.folder(name("inner")).unwrap();
    let mut modes: Vec<_> = fs::read_dir(top.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().mode() & 0o777))
        .collect();
    modes.sort();
    let expected = [("appended", 0o600), ("inner", 0o700), ("new", 0o600), ("touched", 0o600)];
    assert_eq!(modes, expected.map(|(name, mode)| (name.to_owned(), mode)));
}
