//! Rings and their texts, from inside.

use super::*;

fn text(ring: &KeyRing) -> String {
    String::from_utf8(ring.to_text().expose().to_vec()).expect("key files are text")
}

fn parse(text: &str) -> Result<KeyRing, Syntax> {
    KeyRing::parse(&Secret::new(text.into()))
}

#[track_caller]
fn check(text: &str, line: usize, reason: &str) {
    let syntax = parse(text).expect_err("not a key ring");
    assert_eq!((syntax.line, syntax.reason), (line, reason), "{text}");
}

#[test]
fn a_ring_survives_its_text() {
    let mut ring = KeyRing::generate(UNIX_EPOCH + Duration::from_secs(5));
    ring.rotate(UNIX_EPOCH + Duration::from_secs(9)).expect("room");
    let again = parse(&text(&ring)).expect("its own text");
    assert!(ring.public.keys().eq(again.public.keys()));
    assert_eq!(text(&ring), text(&again));
    assert_eq!(ring.public.mailbox_tag("a@b"), again.public.mailbox_tag("a@b"));
}

#[test]
fn the_public_text_holds_no_private_key() {
    let ring = KeyRing::generate(UNIX_EPOCH);
    let private = text(&ring);
    let key = private.lines().last().and_then(|line| line.split(' ').next_back()).expect("a key");
    let public = ring.public.to_text();
    assert!(!String::from_utf8_lossy(public.expose()).contains(key));
    let again = PublicRing::parse(&public).expect("its own text");
    assert!(again.keys().eq(ring.public.keys()));
    assert_eq!(again.mailbox_tag("a@b"), ring.public.mailbox_tag("a@b"));
}

#[test]
fn a_public_file_is_not_taken_for_a_private_one() {
    let ring = KeyRing::generate(UNIX_EPOCH);
    assert_eq!(KeyRing::parse(&ring.public.to_text()).expect_err("public").line, 1);
    assert_eq!(PublicRing::parse(&ring.to_text()).expect_err("private").line, 1);
}

#[test]
fn the_primary_key_stays_and_others_go_when_asked() {
    let mut ring = KeyRing::generate(UNIX_EPOCH);
    let old = ring.public.keys().next().expect("a key").id;
    assert!(matches!(ring.retire(old), Err(Error::Primary(id)) if id == old));
    let new = ring.rotate(UNIX_EPOCH).expect("room");
    assert!(matches!(ring.retire(new), Err(Error::Primary(id)) if id == new));
    ring.retire(old).expect("an old key");
    assert!(matches!(ring.retire(old), Err(Error::UnknownKey(id)) if id == old));
    assert!(ring.public.keys().map(|key| key.id).eq([new]));
}

#[test]
fn a_full_ring_takes_no_key() {
    let mut ring = KeyRing::generate(UNIX_EPOCH);
    for _ in 1..MAX_KEYS {
        ring.rotate(UNIX_EPOCH).expect("room");
    }
    assert!(matches!(ring.rotate(UNIX_EPOCH), Err(Error::Full)));
    let full = text(&ring);
    assert!(parse(&full).is_ok());
    let other = text(&KeyRing::generate(UNIX_EPOCH));
    let key = other.lines().last().expect("a key");
    let lines = full.lines().count();
    check(&format!("{full}{key}\n"), lines + 1, "is one key more than a ring may hold");
}

#[test]
fn wrong_lines_are_named_and_not_shown() {
    let good = text(&KeyRing::generate(UNIX_EPOCH));
    let [kind, one, two, index, key] = *good.lines().collect::<Vec<_>>() else {
        panic!("five lines")
    };
    let secret = key.split(' ').next_back().expect("a key");
    let id = "0123456789abcdef";
    let neither = "is neither 'index BASE64' nor 'key ID SECONDS BASE64'";

    check("", 1, "is not 'mailfleet-keys v1 private'");
    check("mailfleet-keys v2 private\n", 1, "is not 'mailfleet-keys v1 private'");
    check(kind, 1, "is the last one, and there is no index key");
    check(&format!("{kind}\n{index}"), 2, "is the last one, and there is no key");
    check(&format!("{kind}\n{key}"), 2, "is the last one, and there is no index key");
    check(&format!("{good}{key}"), 6, "repeats a key");
    check(&format!("{good}{index}"), 6, "is not the one 'index BASE64'");
    check(&format!("{kind}\nindex AAAA"), 2, "has no index key of 32 bytes");
    check(&format!("{kind}\n{one}\n{two}\nkey"), 4, neither);
    check(&format!("{good}{secret}"), 6, neither);
    check(&format!("{good}{key} more"), 6, neither);
    check(&format!("{good}key {id} 0 {secret}"), 6, "has a key that does not fit its id");
    check(&format!("{good}key {id} 0 AAAA"), 6, "has no key of 32 bytes");
    check(&format!("{good}key {id} 0 ?"), 6, "has no key in base64");
    check(&format!("{good}key {id} -1 {secret}"), 6, "has no number of seconds");
    check(&format!("{good}key {id} 4294967296 {secret}"), 6, "has no number of seconds");
    check(&format!("{good}key x 0 {secret}"), 6, "has no key id of 16 hexadecimal digits");
    let shown = parse(&format!("{good}{secret}")).expect_err("a stray word");
    assert!(!format!("{shown} {shown:?}").contains(secret));
}

#[test]
fn line_ends_of_other_systems_and_spaces_do_no_harm() {
    let good = text(&KeyRing::generate(UNIX_EPOCH));
    assert!(parse(&good.replace('\n', "\r\n")).is_ok());
    assert!(parse(&format!("{good}\n\n  # note\n")).is_ok());
}

#[test]
fn a_clock_that_is_far_off_makes_a_key_all_the_same() {
    let created = |now| KeyRing::generate(now).public.keys().next().map(|key| key.created);
    assert_eq!(created(UNIX_EPOCH - Duration::from_secs(1)), Some(UNIX_EPOCH));
    let late = Duration::from_secs(u32::MAX.into());
    assert_eq!(created(UNIX_EPOCH + 2 * late), Some(UNIX_EPOCH + late));
}
