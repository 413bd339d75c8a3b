//! Fuzz targets for IMAP: the guard, the parser behind it, folder names, a whole session.

use super::folders::{Listing, NameForm};
use super::session::{Mailbox, SearchKey, Session, log_out};
use super::wire::{Reply, Wire};
use crate::fuzz::{block_on, stream};
use crate::leg::Identity;

/// Responses one by one, as before a login.
pub(crate) fn responses(bytes: &[u8]) {
    block_on(async {
        let mut wire = Wire::new(stream(bytes));
        let mut listing = Listing::new(NameForm::ModifiedUtf7);
        while let Ok(reply) = wire.read(&mut listing).await {
            if let Reply::Untagged(line) | Reply::Tagged(_, line) = &reply {
                let _ = (line.capabilities(), line.number("UIDNEXT"));
            }
        }
        let mechanisms = wire.capabilities().map(|found| found.mechanisms());
        assert!(
            mechanisms.is_none_or(|offer| offer.words().len() <= bytes.len().saturating_mul(3))
        );
        for folder in listing.into_folders() {
            assert!(folder.decoded.len() <= folder.name.len().saturating_mul(3));
        }
    });
}

/// The commands of a check and of an arrival leg, answered with whatever comes.
pub(crate) fn session(bytes: &[u8]) {
    block_on(async {
        let mut session = Session::new(Wire::new(stream(bytes)));
        let _ = session.learn_capabilities().await;
        let _ = session.id(&Identity::default()).await;
        let _ = session.list().await;
        let opened: Mailbox = session.examine("INBOX").await.unwrap_or_default();
        let status = session.status("Sent").await.unwrap_or(opened);
        let from = status.uid_next.unwrap_or(1);
        if let Ok(uids) = session.uid_search(from, SearchKey::Subject, "token").await {
            assert!(uids.is_sorted() && uids.iter().all(|uid| *uid >= from));
        }
        let headers = session.uid_fetch_fields(from, None, "FROM SUBJECT").await;
        assert!(headers.unwrap_or_default().iter().all(|header| header.uid >= from));
        let _ = session.uid_fetch_start(from, 4096).await;
        let _ = log_out(session.wire_mut()).await;
    });
}

/// Folder names in modified UTF-7.
pub(crate) fn utf7(bytes: &[u8]) {
    let name = String::from_utf8_lossy(bytes);
    assert!(super::utf7::decode(&name).chars().count() <= name.chars().count());
}
