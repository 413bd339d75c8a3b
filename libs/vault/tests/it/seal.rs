//! Sealing, opening and rotating; damage and forgery.

use std::time::UNIX_EPOCH;

use mailfleet_model::{Credential, Secret};
use mailfleet_vault::{Error, KeyRing, PublicRing, Sealed};
use proptest::prelude::{any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};

use crate::{binding, password, ring};

proptest! {
    #[test]
    fn passwords_and_tokens_come_back_byte_by_byte(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        token in any::<bool>(),
    ) {
        let ring = ring();
        let secret = Secret::new(bytes);
        let credential =
            if token { Credential::AccessToken(secret) } else { Credential::Password(secret) };
        let sealed = ring.public().seal(&credential, &binding()).expect("short enough");
        let stored = Sealed::from_bytes(&sealed.to_bytes()).expect("its own bytes");
        prop_assert_eq!(&stored, &sealed);
        prop_assert!(ring.open(&stored, &binding()).expect("its own ring").same_as(&credential));
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(
        genuine in 0_usize..100,
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let ring = ring();
        let sealed = ring.public().seal(&password(b"hunter2"), &binding()).expect("short");
        let bytes = [&sealed.to_bytes()[..genuine], &bytes].concat();
        let opened = Sealed::from_bytes(&bytes).and_then(|sealed| ring.open(&sealed, &binding()));
        prop_assert!(opened.is_err());
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let ring = ring();
    let sealed = ring.public().seal(&password(b"hunter2"), &binding()).expect("short");
    let good = sealed.to_bytes();
    for place in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[place] ^= 1 << bit;
            let opened = Sealed::from_bytes(&bytes).and_then(|s| ring.open(&s, &binding()));
            let error = opened.expect_err("damaged");
            match (place, error) {
                (0, Error::UnknownFormat(_)) | (1..9, Error::UnknownKey(_)) => {}
                // The top bit of an X25519 key means nothing (RFC 7748 section 5), but the
                // encapsulated key is part of the key schedule as it stands.
                (9.., Error::Tampered) => {}
                _ => panic!("bit {bit} of byte {place}: {error}"),
            }
        }
    }
}

#[test]
fn every_cut_and_any_tail_is_refused() {
    let ring = ring();
    let sealed = ring.public().seal(&password(b"hunter2"), &binding()).expect("short");
    let good = sealed.to_bytes();
    let open = |bytes: &[u8]| Sealed::from_bytes(bytes).and_then(|s| ring.open(&s, &binding()));
    for length in 0..good.len() {
        assert!(open(&good[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(open(&[&good[..], &[0]].concat()).err(), Some(Error::Tampered));
}

#[test]
fn halves_of_two_seals_do_not_fit_together() {
    let ring = ring();
    let seal = |secret: &[u8]| {
        ring.public().seal(&password(secret), &binding()).expect("short").to_bytes()
    };
    let [one, two] = [seal(b"one"), seal(b"two")];
    for border in [41, 89] {
        let mixed = [&one[..border], &two[border..]].concat();
        let mixed = Sealed::from_bytes(&mixed).expect("a possible length");
        assert_eq!(ring.open(&mixed, &binding()).err(), Some(Error::Tampered), "{border}");
    }
}

#[test]
fn the_longest_secret_fits_and_a_longer_one_is_refused() {
    let ring = ring();
    let longest = password(&vec![0xff; Sealed::MAX_SECRET]);
    let sealed = ring.public().seal(&longest, &binding()).expect("just short enough");
    assert_eq!(sealed.to_bytes().len(), Sealed::MAX_LENGTH);
    let stored = Sealed::from_bytes(&sealed.to_bytes()).expect("its own bytes");
    assert!(ring.open(&stored, &binding()).expect("its own ring").same_as(&longest));

    let longer = password(&vec![0xff; Sealed::MAX_SECRET + 1]);
    assert_eq!(ring.public().seal(&longer, &binding()), Err(Error::SecretTooLong));
}

#[test]
fn rotation_keeps_old_seals_open_until_their_key_is_retired() {
    let mut ring = ring();
    let before = ring.public().seal(&password(b"old"), &binding()).expect("short");
    let new = ring.rotate(UNIX_EPOCH).expect("room");
    let after = ring.public().seal(&password(b"new"), &binding()).expect("short");
    assert_eq!(after.key_id(), new);
    assert_ne!(before.key_id(), new);
    assert!(ring.open(&before, &binding()).expect("old key").same_as(&password(b"old")));
    assert!(ring.open(&after, &binding()).expect("new key").same_as(&password(b"new")));

    ring.retire(before.key_id()).expect("not the primary key");
    let unknown = Error::UnknownKey(before.key_id());
    assert_eq!(ring.open(&before, &binding()).err(), Some(unknown));
    assert!(ring.open(&after, &binding()).is_ok());
}

#[test]
fn rotation_keeps_tags_comparable() {
    let mut ring = ring();
    let before = ring.public().mailbox_tag("taro@example.jp");
    ring.rotate(UNIX_EPOCH).expect("room");
    assert_eq!(ring.public().mailbox_tag("taro@example.jp"), before);
    assert_ne!(crate::ring().public().mailbox_tag("taro@example.jp"), before);
}

#[test]
fn a_gateway_with_public_keys_seals_what_a_worker_opens() {
    let worker = ring();
    let gateway = PublicRing::parse(&worker.public().to_text()).expect("its own text");
    let sealed = gateway.seal(&password(b"hunter2"), &binding()).expect("short");
    assert!(
        worker.open(&sealed, &binding()).expect("the same ring").same_as(&password(b"hunter2"))
    );
    let stranger = ring();
    let unknown = Error::UnknownKey(sealed.key_id());
    assert_eq!(stranger.open(&sealed, &binding()).err(), Some(unknown));
}

/// A key of zeros makes every shared secret zero; RFC 7748 section 6.1.
#[test]
fn nothing_is_sealed_to_a_key_that_anyone_can_compute() {
    let text = ring().public().to_text();
    let text = String::from_utf8(text.expose().to_vec()).expect("key files are text");
    let head = text.lines().take(4).collect::<Vec<_>>().join("\n");
    let zeros = format!("{}=", "A".repeat(43));
    // The first 8 bytes of the SHA-256 of 32 zeros.
    let forged = format!("{head}\nkey 66687aadf862bd77 0 {zeros}\n");
    let ring = PublicRing::parse(&Secret::new(forged.into())).expect("well-formed");
    let error = ring.seal(&password(b"hunter2"), &binding()).expect_err("a useless key");
    assert!(matches!(error, Error::UnusableKey(_)), "{error}");
}

#[test]
fn two_seals_of_one_password_have_nothing_in_common() {
    let ring: KeyRing = ring();
    let seal = || ring.public().seal(&password(b"hunter2"), &binding()).expect("short").to_bytes();
    let [one, two] = [seal(), seal()];
    assert_eq!(one[..9], two[..9]);
    for (a, b) in one[9..].chunks_exact(16).zip(two[9..].chunks_exact(16)) {
        assert_ne!(a, b);
    }
}
