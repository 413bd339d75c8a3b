//! Key files as an administrator meets them: modes, overwriting, replacing, damage.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use mailfleet_vault::ring::Error;
use mailfleet_vault::{KeyRing, PublicRing};
use tempfile::TempDir;

use crate::{binding, password};

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mailfleet.keys");
    (folder, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own file");
}

/// The names in a folder.
fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("a folder");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(|entry| name(entry.expect("an entry"))).collect()
}

#[test]
fn a_new_file_belongs_to_its_owner_alone_and_is_read_back() {
    let (folder, path) = folder();
    let ring = KeyRing::create(&path, UNIX_EPOCH).expect("a free place");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(&folder), ["mailfleet.keys"]);
    let again = KeyRing::load(&path).expect("its own file");
    assert!(again.public().keys().eq(ring.public().keys()));
}

#[test]
fn a_file_that_others_may_use_is_refused() {
    let (_folder, path) = folder();
    let ring = KeyRing::create(&path, UNIX_EPOCH).expect("a free place");
    let public = path.with_extension("public");
    ring.public().save(&public).expect("a free place");
    for refused in [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o777] {
        set_mode(&path, refused);
        set_mode(&public, refused);
        let error = KeyRing::load(&path).expect_err("too open");
        assert!(matches!(error, Error::TooOpen { mode, .. } if mode == refused), "{error}");
        assert!(matches!(PublicRing::load(&public), Err(Error::TooOpen { .. })));
        let changed = KeyRing::update(&path, |ring| ring.rotate(UNIX_EPOCH));
        assert!(matches!(changed, Err(Error::TooOpen { .. })));
        assert!(matches!(KeyRing::load_or_create(&path, UNIX_EPOCH), Err(Error::TooOpen { .. })));
    }
    set_mode(&path, 0o644);
    let text = KeyRing::load(&path).expect_err("too open").to_string();
    let expect = format!(
        "the key file {} may be used by others (its mode is 0644): set it to 0600",
        path.display()
    );
    assert_eq!(text, expect);
    set_mode(&path, 0o400);
    assert!(KeyRing::load(&path).is_ok());
}

#[test]
fn a_file_is_never_overwritten() {
    let (folder, path) = folder();
    fs::write(&path, "precious").expect("a free place");
    let error = KeyRing::create(&path, UNIX_EPOCH).expect_err("a taken place");
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    let ring = KeyRing::generate(UNIX_EPOCH);
    assert!(matches!(ring.public().save(&path), Err(Error::Exists { .. })));
    assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    assert_eq!(names(&folder), ["mailfleet.keys"]);

    let dangling = folder.path().join("link");
    symlink(folder.path().join("nowhere"), &dangling).expect("a link");
    assert!(matches!(KeyRing::create(&dangling, UNIX_EPOCH), Err(Error::Exists { .. })));
}

#[test]
fn the_first_start_makes_the_file_and_the_second_reads_it() {
    let (_folder, path) = folder();
    let first = KeyRing::load_or_create(&path, UNIX_EPOCH).expect("a free place");
    let second = KeyRing::load_or_create(&path, UNIX_EPOCH).expect("its own file");
    assert!(second.public().keys().eq(first.public().keys()));
}

#[test]
fn first_starts_at_once_agree_on_one_ring() {
    let (folder, path) = folder();
    let barrier = Barrier::new(8);
    let start = || {
        barrier.wait();
        let ring = KeyRing::load_or_create(&path, UNIX_EPOCH).expect("one of them makes it");
        ring.public().keys().map(|key| key.id).collect::<Vec<_>>()
    };
    let ids: Vec<_> = thread::scope(|scope| {
        let starts = [(); 8].map(|()| scope.spawn(start));
        starts.map(|start| start.join().expect("no panic")).into()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(names(&folder), ["mailfleet.keys"]);
}

#[test]
fn an_update_replaces_the_file_as_a_whole() {
    let (folder, path) = folder();
    let ring = KeyRing::create(&path, UNIX_EPOCH).expect("a free place");
    let sealed = ring.public().seal(&password(b"hunter2"), &binding()).expect("short");
    let open = File::open(&path).expect("a file");

    let later = UNIX_EPOCH + Duration::from_secs(60);
    let id = KeyRing::update(&path, |ring| ring.rotate(later)).expect("room");
    let ring = KeyRing::load(&path).expect("its own file");
    let keys: Vec<_> = ring.public().keys().collect();
    assert_eq!((keys[0].id, keys[0].created, keys[0].primary), (id, later, true));
    assert_eq!((keys[1].id, keys[1].primary), (sealed.key_id(), false));
    assert!(ring.open(&sealed, &binding()).is_ok());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(&folder), ["mailfleet.keys"]);
    let [old, new] = [open.metadata(), fs::metadata(&path)].map(|m| m.expect("a file").ino());
    assert_ne!(old, new, "a reader of the old file keeps it whole");
}

#[test]
fn a_change_that_fails_leaves_the_file_alone() {
    let (folder, path) = folder();
    let ring = KeyRing::create(&path, UNIX_EPOCH).expect("a free place");
    let before = fs::read(&path).expect("a file");
    let primary = ring.public().keys().next().expect("a key").id;
    let changed = KeyRing::update(&path, |ring| {
        ring.rotate(UNIX_EPOCH)?;
        ring.retire("0123456789abcdef".parse().expect("an id"))
    });
    assert!(matches!(changed, Err(Error::UnknownKey(_))));
    assert!(matches!(KeyRing::update(&path, |ring| ring.retire(primary)), Err(Error::Primary(_))));
    assert_eq!(fs::read(&path).expect("a file"), before);
    assert_eq!(names(&folder), ["mailfleet.keys"]);
}

#[test]
fn a_second_change_at_the_same_time_is_refused() {
    let (_folder, path) = folder();
    KeyRing::create(&path, UNIX_EPOCH).expect("a free place");
    let inner =
        KeyRing::update(&path, |_| Ok(KeyRing::update(&path, |ring| ring.rotate(UNIX_EPOCH))));
    let inner = inner.expect("the outer change does nothing");
    assert!(matches!(inner, Err(Error::Busy { .. })), "{inner:?}");
    assert!(KeyRing::update(&path, |ring| ring.rotate(UNIX_EPOCH)).is_ok());
}

#[test]
fn a_link_stays_a_link() {
    let (folder, path) = folder();
    KeyRing::create(&path, UNIX_EPOCH).expect("a free place");
    let link = folder.path().join("link");
    symlink(&path, &link).expect("a link");
    KeyRing::update(&link, |ring| ring.rotate(UNIX_EPOCH)).expect("room");
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(KeyRing::load(&path).expect("its own file").public().keys().count(), 2);
}

#[test]
fn missing_damaged_and_endless_files_are_told_apart() {
    let (folder, path) = folder();
    assert!(matches!(KeyRing::load(&path), Err(Error::Missing { .. })));
    let changed = KeyRing::update(&path, |ring| ring.rotate(UNIX_EPOCH));
    assert!(matches!(changed, Err(Error::Missing { .. })));
    let nowhere = folder.path().join("no/such/folder/keys");
    assert!(matches!(KeyRing::create(&nowhere, UNIX_EPOCH), Err(Error::Write { .. })));

    for (content, read) in [(Vec::new(), true), (vec![0xff; 9], true), (vec![b'#'; 70_000], false)]
    {
        fs::write(&path, content).expect("our own file");
        set_mode(&path, 0o600);
        match KeyRing::load(&path) {
            Err(Error::Content { .. }) => assert!(read),
            Err(Error::Read { .. }) => assert!(!read),
            other => panic!("{other:?}"),
        }
        let made = KeyRing::load_or_create(&path, UNIX_EPOCH);
        assert!(made.is_err(), "a damaged file is not replaced by a new ring");
    }
}
