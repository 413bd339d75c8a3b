//! An estate: the accounts that several servers share, and what happens to submitted mail.
//!
//! An SMTP server puts mail in, IMAP and POP3 servers of the same estate show it. Without an
//! estate of its own every server has a private one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::layout::{Layout, Use};
use crate::mailstore::{Account, Folder, Shape};
use crate::message;

/// Where a submitted mail ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    /// In INBOX of each recipient.
    #[default]
    Inbox,
    /// In the folder for spam.
    Junk,
    /// In All Mail only, as a filter that archives does it.
    Archive,
    /// Nowhere, although it was accepted.
    Lost,
    /// Back at its sender as a delivery status notification.
    Bounced,
}

/// What happens to submitted mail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Where it ends up.
    pub fate: Fate,
    /// How long it takes.
    pub delay: Duration,
    /// An address that replaces the one in `From`.
    pub rewrite_from: Option<String>,
    /// Whether the server files a copy under Sent.
    pub sent_copy: SentCopy,
}

/// Whether the server files a copy of submitted mail in the sender's Sent folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum SentCopy {
    /// Leaves that to the client, as most servers do.
    #[default]
    None,
    /// Files it, as Gmail and Exchange do.
    Filed,
}

/// Accounts shared by servers.
#[derive(Debug, Default)]
pub struct Estate {
    accounts: Mutex<HashMap<Arc<str>, Arc<Mutex<Account>>>>,
    delivery: Mutex<Delivery>,
}

/// A mail as SMTP took it.
pub(crate) struct Submitted<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a [String],
    pub(crate) raw: &'a [u8],
}

/// The mail was not taken: an account is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotTaken;

impl Estate {
    /// An estate in which submitted mail fares as told.
    #[must_use]
    pub fn new(delivery: Delivery) -> Self {
        Self { delivery: Mutex::new(delivery), ..Self::default() }
    }

    /// Changes what happens to mail from now on.
    pub fn set_delivery(&self, delivery: Delivery) {
        *lock(&self.delivery) = delivery;
    }

    /// A copy of one folder, by name, for tests. `None` if there is no such account or folder.
    #[must_use]
    pub fn folder(&self, address: &str, name: &str) -> Option<Folder> {
        let account = self.find(address)?;
        let mut account = lock(&account);
        account.folder(name).cloned()
    }

    /// The account of an address, with the folders of `layout` if they were not settled yet, and
    /// with sample messages if its INBOX never had any.
    pub(crate) fn open(
        &self,
        address: &Arc<str>,
        layout: Layout,
        shape: Shape,
        messages: u32,
    ) -> Arc<Mutex<Account>> {
        let make = || Arc::new(Mutex::new(Account::new(layout, shape)));
        let account =
            Arc::clone(lock(&self.accounts).entry(Arc::clone(address)).or_insert_with(make));
        let mut open = lock(&account);
        if shape == Shape::Final {
            open.settle_shape(layout);
        }
        if let Some(inbox) = open.folder("INBOX").filter(|inbox| inbox.uid_next == 1) {
            for number in 1..=messages {
                inbox.add(message::sample(address, number).into(), Vec::new());
            }
        }
        drop(open);
        account
    }

    pub(crate) fn find(&self, address: &str) -> Option<Arc<Mutex<Account>>> {
        lock(&self.accounts).get(address.to_ascii_lowercase().as_str()).cloned()
    }

    /// Tells whether some account has the domain of this address.
    pub(crate) fn serves_domain_of(&self, address: &str) -> bool {
        let Some((_, domain)) = address.rsplit_once('@') else { return false };
        let same =
            |a: &Arc<str>| a.rsplit_once('@').is_some_and(|(_, d)| d.eq_ignore_ascii_case(domain));
        lock(&self.accounts).keys().any(same)
    }

    /// Takes a mail and lets it fare as the delivery rules say.
    pub(crate) fn submit(&self, mail: &Submitted<'_>) -> Result<(), NotTaken> {
        let delivery = lock(&self.delivery).clone();
        let at = Instant::now() + delivery.delay;
        let raw: Arc<[u8]> = match &delivery.rewrite_from {
            Some(from) => message::with_from(mail.raw, from).into(),
            None => mail.raw.into(),
        };
        if delivery.sent_copy == SentCopy::Filed {
            let seen = vec!["\\Seen".to_owned()];
            self.put(mail.from, Use::Sent, Arc::clone(&raw), seen, Instant::now())?;
        }
        for recipient in mail.to {
            let purpose = match delivery.fate {
                Fate::Lost => continue,
                Fate::Bounced => {
                    let bounce = message::bounce(mail.raw, mail.from, recipient).into();
                    self.put(mail.from, Use::Inbox, bounce, Vec::new(), at)?;
                    continue;
                }
                Fate::Inbox => Use::Inbox,
                Fate::Junk => Use::Junk,
                Fate::Archive => Use::All,
            };
            self.put(recipient, purpose, Arc::clone(&raw), Vec::new(), at)?;
        }
        Ok(())
    }

    /// Delivers to one address; mail to strangers has left the estate and is gone.
    fn put(
        &self,
        address: &str,
        purpose: Use,
        raw: Arc<[u8]>,
        flags: Vec<String>,
        at: Instant,
    ) -> Result<(), NotTaken> {
        let Some(account) = self.find(address) else { return Ok(()) };
        lock(&account).deliver(purpose, raw, flags, at).map_err(|_| NotTaken)
    }
}

/// Locks; a panic elsewhere does not make the accounts unreadable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fares(delivery: Delivery) -> Estate {
        let estate = Estate::new(delivery);
        for who in ["a@x.test", "b@x.test"] {
            estate.open(&who.into(), Layout::Gmail, Shape::Final, 0);
        }
        let raw = b"From: a@x.test\r\nSubject: hi\r\n\r\nbody\r\n";
        let to = ["B@x.test".to_owned(), "stranger@y.test".to_owned()];
        estate.submit(&Submitted { from: "a@x.test", to: &to, raw }).unwrap();
        estate
    }

    fn count(estate: &Estate, who: &str, folder: &str) -> usize {
        estate.folder(who, folder).unwrap().messages.len()
    }

    #[test]
    fn mail_ends_where_its_fate_says() {
        let with = |fate| fares(Delivery { fate, ..Delivery::default() });
        assert_eq!(count(&with(Fate::Inbox), "b@x.test", "INBOX"), 1);
        assert_eq!(count(&with(Fate::Junk), "b@x.test", "[Gmail]/Spam"), 1);
        let archived = with(Fate::Archive);
        assert_eq!(count(&archived, "b@x.test", "[Gmail]/All Mail"), 1);
        assert_eq!(count(&archived, "b@x.test", "INBOX"), 0);
        assert_eq!(count(&with(Fate::Lost), "b@x.test", "[Gmail]/All Mail"), 0);
        let bounced = with(Fate::Bounced).folder("a@x.test", "INBOX").unwrap();
        assert_eq!(bounced.messages[0].header("auto-submitted").as_deref(), Some("auto-replied"));
    }

    #[test]
    fn the_sender_can_be_rewritten_and_a_copy_filed() {
        let estate = fares(Delivery {
            rewrite_from: Some("c@x.test".into()),
            sent_copy: SentCopy::Filed,
            ..Delivery::default()
        });
        let inbox = estate.folder("b@x.test", "INBOX").unwrap();
        assert_eq!(inbox.messages[0].header("from").as_deref(), Some("<c@x.test>"));
        assert_eq!(count(&estate, "a@x.test", "[Gmail]/Sent Mail"), 1);
    }
}
