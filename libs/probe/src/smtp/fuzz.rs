//! Fuzz target for SMTP: replies of any shape, and what EHLO offers.

use super::capability::Capabilities;
use super::wire::Connection;
use crate::fuzz::{block_on, stream};

/// Reads replies to the end, each also as an answer to EHLO.
pub(crate) fn dialogue(bytes: &[u8]) {
    block_on(async {
        let mut connection = Connection::new(stream(bytes));
        while let Ok(reply) = connection.read().await {
            assert!(!reply.lines.is_empty() && reply.last_line().len() <= bytes.len());
            let found = Capabilities::parse(&reply.lines);
            assert!(found.has("AUTH") || found.offer.is_empty());
            let _ = (found.size, found.keywords().count());
        }
    });
}
