//! The guard under fire: any bytes, in any pieces.

use async_imap::Client;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::imap::frame::{MAX_LINE, MAX_LITERAL};

/// What a client sees of these bytes, sent in pieces of the given sizes: each response's
/// own bytes, whether the parser saw them, and how it ended.
fn read_all(bytes: &[u8], pieces: &[usize]) -> (Vec<(Vec<u8>, Seen)>, Option<io::ErrorKind>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(1 << 22);
        let mut client = Client::new(Guarded::new(ours));
        let mut rest = bytes;
        let mut sizes = pieces.iter().copied().cycle();
        let mut responses = Vec::new();
        let send = async {
            while !rest.is_empty() {
                let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
                let (piece, behind) = rest.split_at(size);
                theirs.write_all(piece).await.expect("the other end is open");
                tokio::task::yield_now().await;
                rest = behind;
            }
            drop(theirs);
        };
        let receive = async {
            loop {
                match client.read_response().await {
                    Ok(Some(_)) => {
                        let current = client.get_mut().take_current().expect("one at a time");
                        responses.push((current.raw.to_vec(), current.seen));
                    }
                    Ok(None) => return None,
                    Err(error) => return Some(error.kind()),
                }
            }
        };
        let ((), end) = tokio::join!(send, receive);
        (responses, end)
    })
}

#[track_caller]
fn check(line: &str, seen: Seen) {
    let (responses, end) = read_all(line.as_bytes(), &[]);
    assert_eq!(responses, [(line.as_bytes().to_vec(), seen)], "{line:.80}");
    assert_eq!(end, None, "{line:.80}");
}

#[test]
fn what_crashes_or_stops_the_parser_does_neither() {
    check("* OK [ALERT]é日本\r\n", Seen::Itself);
    check("A0001 NO [ALERT]é\r\n", Seen::Itself);
    check("A0001  NO [ALERT]é\r\n", Seen::Substitute);
    check("+ é\r\n", Seen::Itself);
    check("* 1 FETCH (INTERNALDATE NIL)\r\n", Seen::Substitute);
    check("* METADATA INBOX (/shared/é NIL)\r\n", Seen::Substitute);
    check("* ESEARCH (TAG \"A1\") UID COUNT 5\r\n", Seen::Substitute);
    check("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", Seen::Substitute);
    check("* STATUS INBOX (SIZE 12)\r\n", Seen::Substitute);
    check("* XFOO bar\r\n", Seen::Substitute);
    check("220 mail ESMTP\r\n", Seen::Substitute);
    check("\r\n", Seen::Substitute);
    check("* LIST (\\Sent) \"/\" &XfJT0ZAB-\r\n", Seen::Itself);
    check("* LIST () \"/\" {4}\r\na\r\nb\r\n", Seen::Itself);
    check(
        "* 2 FETCH (UID 7 BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: a\r\n\r\n)\r\n",
        Seen::Itself,
    );
    check(
        "* 2 FETCH (UID 7 BODY[HEADER.FIELDS (SUBJECT)] {12}\r\nSubject: a\r\n)\r\n",
        Seen::Itself,
    );
}

#[test]
fn deep_nesting_never_reaches_the_parser() {
    for depth in [41, 400, 20_000] {
        let open = "(".repeat(depth);
        check(&format!("* 1 FETCH (BODYSTRUCTURE {open}\r\n"), Seen::Substitute);
        let hidden = "(\"TEXT\" \")\" ".repeat(depth.min(4_000));
        check(&format!("* 1 FETCH (BODYSTRUCTURE {hidden}\r\n"), Seen::Substitute);
    }
}

#[test]
fn a_long_response_is_the_same_in_blocks() {
    let pairs: String = (0..30).map(|n| format!(" \"key{n}\" \"{}\"", "v".repeat(300))).collect();
    check(&format!("* ID ({})\r\n", pairs.trim_start()), Seen::Itself);
    let uids: String = (1..6_000).map(|n| format!(" {n}")).collect();
    check(&format!("* SEARCH{uids}\r\n"), Seen::Itself);
    let header = "X: y\r\n".repeat(20_000);
    let length = header.len();
    check(&format!("* 2 FETCH (UID 7 BODY[HEADER] {{{length}}}\r\n{header})\r\n"), Seen::Itself);
}

#[test]
fn floods_end_at_a_bound() {
    let flood = b"* OK still thinking\r\n".repeat(MAX_RESPONSES as usize + 1);
    let (responses, end) = read_all(&flood, &[]);
    assert_eq!(responses.len(), MAX_RESPONSES as usize);
    assert_eq!(end, Some(io::ErrorKind::InvalidData));
    for bytes in [vec![b'A'; MAX_LINE * 2], b"* LIST () \"/\" {400000000}\r\nabc".to_vec()] {
        let (responses, end) = read_all(&bytes, &[]);
        assert_eq!((responses.len(), end), (0, Some(io::ErrorKind::InvalidData)));
    }
}

/// Lines that look like IMAP often enough to get far into the parser.
fn imap_like() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("* "),
        Just("A0001 "),
        Just("+ "),
        Just("OK "),
        Just("NO "),
        Just("BYE"),
        Just("[ALERT]"),
        Just("é"),
        Just("1 "),
        Just("FETCH "),
        Just("("),
        Just(")"),
        Just("\""),
        Just("\\"),
        Just("LIST "),
        Just("STATUS "),
        Just("SEARCH "),
        Just("ID "),
        Just("NIL"),
        Just("{3}\r\n"),
        Just("~{1}\r\n"),
        Just("INTERNALDATE "),
        Just("BODYSTRUCTURE "),
        Just("ENVELOPE "),
        Just("UID "),
        Just("\r\n"),
        Just("\n"),
        Just("CAPABILITY "),
        Just("[UIDNEXT 4]"),
        Just("FLAGS "),
        Just("METADATA "),
        Just(" "),
    ];
    proptest::collection::vec(word, 0..60).prop_map(|words| words.concat().into_bytes())
}

proptest! {
    #[test]
    fn every_chunking_gives_the_same_responses(
        bytes in imap_like(),
        pieces in proptest::collection::vec(1_usize..40, 1..8),
    ) {
        let whole = read_all(&bytes, &[]);
        prop_assert_eq!(&read_all(&bytes, &pieces), &whole);
        prop_assert_eq!(&read_all(&bytes, &[1]), &whole);
    }

    #[test]
    fn no_bytes_panic_or_pass_a_bound(
        bytes in prop_oneof![proptest::collection::vec(any::<u8>(), 0..2_000), imap_like()],
    ) {
        let (responses, _) = read_all(&bytes, &[]);
        let total: usize = responses.iter().map(|(raw, _)| raw.len()).sum();
        prop_assert!(total <= bytes.len());
        prop_assert!(responses.iter().all(|(raw, _)| raw.len() <= MAX_LINE + MAX_LITERAL));
    }
}
