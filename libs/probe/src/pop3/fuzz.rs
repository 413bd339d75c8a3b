//! Fuzz target for POP3: statuses, listings, and what CAPA offers.

use super::capability::Capabilities;
use super::mailbox::entry;
use super::wire::{Connection, Status};
use crate::fuzz::{block_on, stream};

/// Lines that are kept of each listing.
const KEEP: usize = 10;

/// Reads statuses to the end; behind every other `+OK` a listing.
pub(crate) fn dialogue(bytes: &[u8]) {
    block_on(async {
        let mut connection = Connection::new(stream(bytes));
        let mut has_listing = false;
        while let Ok(status) = connection.read().await {
            has_listing = matches!(status, Status::Ok(_)) && !has_listing;
            if !has_listing {
                continue;
            }
            let Ok(listing) = connection.listing(KEEP).await else { return };
            assert!(listing.lines.len() <= KEEP && listing.lines.len() <= listing.total);
            let found = Capabilities::parse(&listing.lines);
            let _ = (found.has("STLS"), found.login_delay(), found.keywords().count());
            let _ = listing.lines.iter().filter_map(|line| entry(line)).count();
        }
    });
}
