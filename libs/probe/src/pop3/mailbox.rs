//! Looking into a POP3 mailbox: STAT, UIDL and TOP.
//!
//! Never RETR or DELE: nothing is marked as read or deleted. A server without UIDL
//! cannot be synchronised, since nothing tells old messages from new ones.

use mailfleet_model::{Fault, FaultCode, Phase};

use super::session::{Session, refused};
use super::wire::Status;
use crate::classify::ReplyPhase;
use crate::judge::Asked;
use crate::recorder::Trouble;

/// Most unique ids that are kept: the newest ones.
pub(crate) const MAX_UIDLS: usize = 10_000;
/// Longest unique id. RFC 1939 section 7 says 70; some servers are more generous.
const MAX_UIDL: usize = 200;
/// Most lines of a message's header that are kept.
const MAX_HEADER_LINES: usize = 500;

const STAT: Asked = Asked { command: "STAT", reply_phase: ReplyPhase::Open, phase: Phase::Mailbox };
const UIDL: Asked = Asked { command: "UIDL", ..STAT };
const TOP: Asked = Asked { command: "TOP", ..STAT };

/// The messages of a mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Messages {
    /// Number in this session and unique id, in the server's order; the last
    /// [`MAX_UIDLS`] only.
    pub(crate) kept: Vec<(u32, String)>,
    /// How many there are.
    pub(crate) total: usize,
}

impl Session {
    /// Asks how full the mailbox is, which also shows that it can be opened.
    ///
    /// # Errors
    /// [`Trouble`] if the server refuses or is lost.
    pub(super) async fn stat(&mut self) -> Result<(), Trouble> {
        match self.ask(STAT, b"STAT").await? {
            Status::Ok(_) => Ok(()),
            Status::Err(words) | Status::Challenge(words) => {
                Err(refused(&self.judge, STAT, words).into())
            }
        }
    }

    /// Lists the unique ids.
    ///
    /// # Errors
    /// [`Trouble`] if the server refuses, knows no UIDL, or is lost.
    pub(crate) async fn uidl(&mut self) -> Result<Messages, Trouble> {
        match self.ask(UIDL, b"UIDL").await? {
            Status::Ok(_) => {
                let listing = self.listing(UIDL, MAX_UIDLS).await?;
                let kept = listing.lines.iter().filter_map(|line| entry(line)).collect();
                Ok(Messages { kept, total: listing.total })
            }
            Status::Err(words) | Status::Challenge(words) => Err(self.no_uidl(words).into()),
        }
    }

    /// The header lines of a message, without its body; at most [`MAX_HEADER_LINES`].
    ///
    /// # Errors
    /// [`Trouble`] if the server refuses or is lost.
    pub(crate) async fn top(&mut self, number: u32) -> Result<Vec<Vec<u8>>, Trouble> {
        let command = format!("TOP {number} 0");
        match self.ask(TOP, command.as_bytes()).await? {
            Status::Ok(_) => Ok(self.listing(TOP, MAX_HEADER_LINES).await?.lines),
            Status::Err(words) | Status::Challenge(words) => {
                Err(refused(&self.judge, TOP, words).into())
            }
        }
    }

    /// A refusal that may pass is what it is; any other means that UIDL is not there.
    fn no_uidl(&self, words: Vec<u8>) -> Fault {
        let judged = refused(&self.judge, UIDL, words);
        if judged.retry.is_temporary() {
            return judged;
        }
        let fault = Fault::new(FaultCode::CapabilityMissingRequired, self.judge.leg());
        fault.at(UIDL.phase).with_evidence(judged.evidence)
    }
}

/// `number id`; `None` for a line that is something else.
pub(super) fn entry(line: &[u8]) -> Option<(u32, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let (number, id) = line.trim().split_once(' ')?;
    let id = id.trim();
    let fits = (1..=MAX_UIDL).contains(&id.len()) && !id.chars().any(char::is_control);
    fits.then(|| Some((number.parse().ok()?, id.to_owned())))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_lines_are_read_leniently() {
        assert_eq!(entry(b"1 00000001abc"), Some((1, "00000001abc".to_owned())));
        assert_eq!(entry(b" 12  a b "), Some((12, "a b".to_owned())));
        for bad in [&b"1"[..], b"x y", b"-1 a", b"99999999999 a", b"\xff 1", b"1 \x07", b""] {
            assert_eq!(entry(bad), None, "{bad:?}");
        }
        assert_eq!(entry(format!("1 {}", "x".repeat(MAX_UIDL + 1)).as_bytes()), None);
    }
}
