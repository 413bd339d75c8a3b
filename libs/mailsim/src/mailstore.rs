//! The accounts: folders, messages, UIDs.
//!
//! Knows no protocol. Messages that are still on their way lie in `pending` and are moved into
//! their folder by whoever looks next, so that a delayed delivery needs no task and no timer.
//! Bounded: an account refuses mail above [`MAX_MESSAGES`]. Source: RFC 3501 §2.3.1.1 (UIDs).

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::layout::{Layout, Use};
use crate::message::Message;

/// Messages that an account holds at most, the ones on their way included.
pub(crate) const MAX_MESSAGES: usize = 200_000;

/// A folder of an account.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Its name, in Unicode.
    pub name: String,
    /// What it is for, if anything.
    pub purpose: Option<Use>,
    /// Attributes for LIST, beside those about children.
    pub attribute: &'static str,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// UIDNEXT.
    pub uid_next: u32,
    /// The messages by ascending UID.
    pub messages: Vec<Message>,
}

impl Folder {
    fn new(name: &str, purpose: Option<Use>, attribute: &'static str) -> Self {
        // Dovecot uses the time of creation.
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let uid_validity = u32::try_from(now).unwrap_or(1);
        let name = name.to_owned();
        Self { name, purpose, attribute, uid_validity, uid_next: 1, messages: Vec::new() }
    }

    /// Adds a message and gives it a UID.
    pub(crate) fn add(&mut self, raw: Arc<[u8]>, flags: Vec<String>) -> u32 {
        let uid = self.uid_next;
        self.uid_next = self.uid_next.saturating_add(1);
        self.messages.push(Message { uid, flags, arrived: OffsetDateTime::now_utc(), raw });
        uid
    }
}

/// Whether an account's folders may still be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A server that shows no folders made the account.
    Provisional,
    /// A server that shows them did, or they were asked for by name.
    Final,
}

#[derive(Debug)]
struct Pending {
    at: Instant,
    purpose: Use,
    raw: Arc<[u8]>,
    flags: Vec<String>,
}

/// The folders of one mail address.
#[derive(Debug)]
pub(crate) struct Account {
    folders: Vec<Folder>,
    shape: Shape,
    pending: Vec<Pending>,
}

impl Account {
    pub(crate) fn new(layout: Layout, shape: Shape) -> Self {
        Self { folders: born(layout), shape, pending: Vec::new() }
    }

    /// Gives the account its final folders, unless it has them already. Messages stay with the
    /// purpose of their folder.
    pub(crate) fn settle_shape(&mut self, layout: Layout) {
        if self.shape == Shape::Final {
            return;
        }
        self.shape = Shape::Final;
        let old = std::mem::replace(&mut self.folders, born(layout));
        for before in old {
            if let Some(folder) = self.folders.iter_mut().find(|f| f.purpose == before.purpose) {
                folder.uid_next = before.uid_next;
                folder.messages = before.messages;
            }
        }
    }

    /// The folders, after mail that is due has arrived.
    pub(crate) fn folders(&mut self) -> &mut Vec<Folder> {
        self.settle();
        &mut self.folders
    }

    /// Finds a folder by name; INBOX has no case.
    pub(crate) fn folder(&mut self, name: &str) -> Option<&mut Folder> {
        let inbox = name.eq_ignore_ascii_case("INBOX");
        self.folders().iter_mut().find(|f| f.name == name || (inbox && f.name == "INBOX"))
    }

    /// Adds a folder. `None` if there is one of this name.
    pub(crate) fn create(&mut self, name: &str) -> Option<()> {
        if self.folder(name).is_some() || self.folders.len() >= 1000 {
            return None;
        }
        self.folders.push(Folder::new(name, None, ""));
        Some(())
    }

    /// Puts a message on its way. `Err` if the account is full.
    pub(crate) fn deliver(
        &mut self,
        purpose: Use,
        raw: Arc<[u8]>,
        flags: Vec<String>,
        at: Instant,
    ) -> Result<(), Full> {
        let held: usize = self.folders.iter().map(|f| f.messages.len()).sum();
        if held + self.pending.len() >= MAX_MESSAGES {
            return Err(Full);
        }
        self.pending.push(Pending { at, purpose, raw, flags });
        Ok(())
    }

    fn settle(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.pending).into_iter().partition(|p| p.at <= now);
        self.pending = later;
        let due: Vec<Pending> = due;
        for mail in due {
            // Gmail shows what is in INBOX and in Sent also in All Mail, but not Junk.
            let also = matches!(mail.purpose, Use::Inbox | Use::Sent).then_some(Use::All);
            let target = self.find(mail.purpose).or_else(|| self.find(Use::Inbox));
            let second = also.and_then(|purpose| self.find(purpose));
            for index in [target, second].into_iter().flatten() {
                if let Some(folder) = self.folders.get_mut(index) {
                    folder.add(Arc::clone(&mail.raw), mail.flags.clone());
                }
            }
        }
    }

    fn find(&self, purpose: Use) -> Option<usize> {
        self.folders.iter().position(|f| f.purpose == Some(purpose))
    }
}

fn born(layout: Layout) -> Vec<Folder> {
    let make = |b: &crate::layout::Born| Folder::new(b.name, Some(b.purpose), b.attribute);
    layout.folders().iter().map(make).collect()
}

/// The account cannot hold more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn delayed_mail_arrives_when_it_is_due() {
        let mut account = Account::new(Layout::Gmail, Shape::Final);
        let raw: Arc<[u8]> = Arc::from(&b"Subject: x\r\n\r\n"[..]);
        let later = Instant::now() + Duration::from_secs(5);
        account.deliver(Use::Inbox, raw, vec![], later).unwrap();
        assert_eq!(account.folder("inbox").unwrap().uid_next, 1);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(account.folder("INBOX").unwrap().messages[0].uid, 1);
        assert_eq!(account.folder("[Gmail]/All Mail").unwrap().messages.len(), 1);
        assert!(account.folder("[Gmail]/Spam").unwrap().messages.is_empty());
    }

    #[test]
    fn the_first_server_with_folders_decides_about_them() {
        let mut account = Account::new(Layout::SpecialUse, Shape::Provisional);
        account.folder("Junk").unwrap().add(Arc::from(&b"x"[..]), vec![]);
        account.settle_shape(Layout::Gmail);
        account.settle_shape(Layout::Courier);
        assert_eq!(account.folder("[Gmail]/Spam").unwrap().messages.len(), 1);
    }
}
