//! What is asked of an IMAP server after the login: folders, messages, moving them.
//!
//! One method a command, each answered whole: a refusal, a lost connection or a missing
//! answer is always an error and never an empty result. The check, the arrival leg and
//! the sync use the same session. It reads with EXAMINE and BODY.PEEK, so nothing is
//! marked as seen, and it never sends a plain EXPUNGE, which would remove messages that
//! somebody else marked. Commands: RFC 9051 section 6, UIDPLUS RFC 4315, MOVE RFC 6851.

use async_imap::imap_proto::{AttributeValue, MailboxDatum, Response, StatusAttribute};

use super::command::Command;
use super::folders::{Folder, Listing, NameForm};
use super::wire::{Collect, Error, StatusLine, Wire};
use crate::leg::Identity;

/// Most UIDs of one search that are kept.
const MAX_UIDS: usize = 10_000;
/// Most messages of one fetch that are kept.
const MAX_FETCHED: usize = 1_000;
/// Most pairs of an ID reply that are kept. RFC 2971 section 3.3 allows 30.
const MAX_ID_PAIRS: usize = 30;

/// A logged-in connection.
#[derive(Debug)]
pub(crate) struct Session {
    wire: Wire,
}

/// A folder that was opened or asked about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// Number of messages.
    pub(crate) exists: Option<u32>,
    /// UIDVALIDITY; `None` where the server gives none, or 0.
    pub(crate) uid_validity: Option<u32>,
    /// The UID that the next message will get at least.
    pub(crate) uid_next: Option<u32>,
}

/// Header fields of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The message's UID.
    pub(crate) uid: u32,
    /// The fields as they stand in the message.
    pub(crate) bytes: Vec<u8>,
}

/// Where a message is looked for by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SearchKey<'a> {
    /// A header field with this name holds the text.
    Header(&'a str),
    /// The subject holds the text.
    Subject,
}

impl Session {
    /// Takes over a connection on which a login was accepted.
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// The connection, for the farewell.
    pub(crate) fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Whether the server names a capability (given in upper case).
    pub(crate) fn can(&self, word: &str) -> bool {
        self.wire.capabilities().is_some_and(|c| c.has(word))
    }

    /// Asks what the server offers, unless it said so by itself.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn learn_capabilities(&mut self) -> Result<(), Error> {
        if !self.wire.knows_capabilities() {
            self.wire.run(Command::new("CAPABILITY"), &mut ()).await?;
        }
        Ok(())
    }

    /// Introduces us, and returns what the server says about itself.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn id(&mut self, we: &Identity) -> Result<Vec<(String, String)>, Error> {
        identify(&mut self.wire, we).await
    }

    /// Lists all folders, at most 10,000.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn list(&mut self) -> Result<Vec<Folder>, Error> {
        let form = if self.can("IMAP4REV2") && !self.can("IMAP4REV1") {
            NameForm::Utf8
        } else {
            NameForm::ModifiedUtf7
        };
        let mut command = Command::new("LIST \"\" \"*\"");
        // RFC 6154 section 2: the option needs both extensions; others tell by themselves.
        if self.can("SPECIAL-USE") && self.can("LIST-EXTENDED") {
            command = command.words("RETURN (SPECIAL-USE)");
        }
        let mut listing = Listing::new(form);
        self.wire.run(command, &mut listing).await?;
        Ok(listing.into_folders())
    }

    /// Opens a folder for reading only.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn examine(&mut self, name: &str) -> Result<Mailbox, Error> {
        self.open("EXAMINE", name).await
    }

    /// Opens a folder for changes.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn select(&mut self, name: &str) -> Result<Mailbox, Error> {
        self.open("SELECT", name).await
    }

    async fn open(&mut self, word: &str, name: &str) -> Result<Mailbox, Error> {
        let mut mailbox = Mailbox::default();
        self.wire.run(Command::new(word).string(name.as_bytes()), &mut mailbox).await?;
        Ok(mailbox)
    }

    /// Asks about a folder that is not open.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn status(&mut self, name: &str) -> Result<Mailbox, Error> {
        let mut mailbox = Mailbox::default();
        let command = Command::new("STATUS").string(name.as_bytes());
        let command = command.words("(MESSAGES UIDNEXT UIDVALIDITY)");
        self.wire.run(command, &mut mailbox).await?;
        Ok(mailbox)
    }

    /// Finds messages of the open folder from UID `from` on whose header holds `text`,
    /// oldest first.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn uid_search(
        &mut self,
        from: u32,
        key: SearchKey<'_>,
        text: &str,
    ) -> Result<Vec<u32>, Error> {
        let command = Command::new("UID SEARCH").words(&format!("UID {from}:*"));
        let command = match key {
            SearchKey::Header(field) => command.words("HEADER").string(field.as_bytes()),
            SearchKey::Subject => command.words("SUBJECT"),
        };
        let mut found = Uids(Vec::new());
        self.wire.run(command.string(text.as_bytes()), &mut found).await?;
        let mut uids = found.0;
        // `n:*` names the last message too when it lies below n (RFC 9051 section 6.4.9).
        uids.retain(|uid| *uid >= from);
        uids.sort_unstable();
        uids.dedup();
        Ok(uids)
    }

    /// Fetches header fields of the messages with UIDs from `first` to `last`, or to the
    /// end, without marking them as seen; at most 1,000 messages.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn uid_fetch_fields(
        &mut self,
        first: u32,
        last: Option<u32>,
        fields: &str,
    ) -> Result<Vec<Header>, Error> {
        let item = format!("BODY.PEEK[HEADER.FIELDS ({fields})]");
        let mut headers = self.uid_fetch(first, last, &item).await?;
        headers.retain(|header| header.uid >= first);
        Ok(headers)
    }

    /// Fetches the first bytes of one message, without marking it as seen.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn uid_fetch_start(
        &mut self,
        uid: u32,
        length: u32,
    ) -> Result<Option<Vec<u8>>, Error> {
        let parts = self.uid_fetch(uid, Some(uid), &format!("BODY.PEEK[]<0.{length}>")).await?;
        Ok(parts.into_iter().find(|part| part.uid == uid).map(|part| part.bytes))
    }

    async fn uid_fetch(
        &mut self,
        first: u32,
        last: Option<u32>,
        item: &str,
    ) -> Result<Vec<Header>, Error> {
        let last = last.map_or_else(|| "*".to_owned(), |uid| uid.to_string());
        let command = Command::new("UID FETCH").words(&format!("{first}:{last} (UID {item})"));
        let mut fetched = Fetched(Vec::new());
        self.wire.run(command, &mut fetched).await?;
        Ok(fetched.0)
    }

    /// Moves messages of the open folder (RFC 6851).
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn uid_move(&mut self, uids: &[u32], to: &str) -> Result<(), Error> {
        self.transfer("UID MOVE", uids, to).await
    }

    /// Copies messages of the open folder.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn uid_copy(&mut self, uids: &[u32], to: &str) -> Result<(), Error> {
        self.transfer("UID COPY", uids, to).await
    }

    async fn transfer(&mut self, word: &str, uids: &[u32], to: &str) -> Result<(), Error> {
        let command = Command::new(word).words(&set(uids)).string(to.as_bytes());
        self.wire.run(command, &mut ()).await.map(drop)
    }

    /// Marks exactly these messages as deleted.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn uid_mark_deleted(&mut self, uids: &[u32]) -> Result<(), Error> {
        let words = format!("{} +FLAGS.SILENT (\\Deleted)", set(uids));
        self.wire.run(Command::new("UID STORE").words(&words), &mut ()).await.map(drop)
    }

    /// Takes the mark of deletion back.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn uid_unmark_deleted(&mut self, uids: &[u32]) -> Result<(), Error> {
        let words = format!("{} -FLAGS.SILENT (\\Deleted)", set(uids));
        self.wire.run(Command::new("UID STORE").words(&words), &mut ()).await.map(drop)
    }

    /// Removes exactly these messages, if they are marked as deleted (RFC 4315).
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn uid_expunge(&mut self, uids: &[u32]) -> Result<(), Error> {
        self.wire.run(Command::new("UID EXPUNGE").words(&set(uids)), &mut ()).await.map(drop)
    }
}

/// LOGOUT, also before a login. Whatever the server answers, the session is over.
pub(crate) async fn log_out(wire: &mut Wire) {
    // The answer is a BYE, which ends any other command; here it is what was asked for.
    let _ = wire.run(Command::new("LOGOUT"), &mut ()).await;
}

/// ID (RFC 2971), before a login or after it.
///
/// # Errors
/// As [`Wire::run`].
pub(crate) async fn identify(
    wire: &mut Wire,
    we: &Identity,
) -> Result<Vec<(String, String)>, Error> {
    let mut fields = vec![("name", we.name.as_str()), ("version", we.version.as_str())];
    // NetEase looks at `vendor` too.
    fields.push(("vendor", we.name.as_str()));
    fields.extend(we.support_url.as_deref().map(|url| ("support-url", url)));
    let list: Vec<String> =
        fields.iter().map(|(k, v)| format!("{} {}", quoted(k), quoted(v))).collect();
    let mut pairs = Pairs(Vec::new());
    wire.run(Command::new("ID").words(&format!("({})", list.join(" "))), &mut pairs).await?;
    Ok(pairs.0)
}

/// A value of our own configuration as a quoted string; what cannot stand there is left out.
fn quoted(text: &str) -> String {
    let plain = text.chars().filter(|c| (' '..='~').contains(c) && !matches!(c, '"' | '\\'));
    format!("\"{}\"", plain.collect::<String>())
}

/// A set of UIDs.
fn set(uids: &[u32]) -> String {
    uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

impl Collect for Mailbox {
    fn data(&mut self, data: &Response<'_>) {
        match data {
            Response::MailboxData(MailboxDatum::Exists(count)) => self.exists = Some(*count),
            Response::MailboxData(MailboxDatum::Status { status, .. }) => {
                for attribute in status {
                    match attribute {
                        StatusAttribute::Messages(count) => self.exists = Some(*count),
                        StatusAttribute::UidNext(uid) => self.uid_next = Some(*uid),
                        StatusAttribute::UidValidity(value) => {
                            self.uid_validity = Some(*value).filter(|v| *v != 0);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn status(&mut self, line: &StatusLine) {
        if let Some(uid) = line.number("UIDNEXT") {
            self.uid_next = Some(uid);
        }
        if let Some(value) = line.number("UIDVALIDITY").filter(|v| *v != 0) {
            self.uid_validity = Some(value);
        }
    }
}

impl Collect for Listing {
    fn data(&mut self, data: &Response<'_>) {
        if let Response::MailboxData(MailboxDatum::List(folder)) = data {
            self.add(folder);
        }
    }
}

struct Uids(Vec<u32>);

impl Collect for Uids {
    fn data(&mut self, data: &Response<'_>) {
        if let Response::MailboxData(MailboxDatum::Search(uids)) = data {
            let room = MAX_UIDS.saturating_sub(self.0.len());
            self.0.extend(uids.iter().take(room));
        }
    }
}

struct Fetched(Vec<Header>);

impl Collect for Fetched {
    fn data(&mut self, data: &Response<'_>) {
        let Response::Fetch(_, attributes) = data else { return };
        let mut uid = None;
        let mut bytes = None;
        for attribute in attributes {
            match attribute {
                AttributeValue::Uid(value) => uid = Some(*value),
                AttributeValue::BodySection { data, .. } => {
                    bytes = Some(data.as_deref().unwrap_or_default().to_vec());
                }
                AttributeValue::Rfc822Header(data) => {
                    bytes = Some(data.as_deref().unwrap_or_default().to_vec());
                }
                _ => {}
            }
        }
        if let (Some(uid), Some(bytes)) = (uid, bytes)
            && self.0.len() < MAX_FETCHED
        {
            self.0.push(Header { uid, bytes });
        }
    }
}

struct Pairs(Vec<(String, String)>);

impl Collect for Pairs {
    fn data(&mut self, data: &Response<'_>) {
        if let Response::Id(Some(pairs)) = data {
            let pairs = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string()));
            self.0.extend(pairs.take(MAX_ID_PAIRS));
            self.0.sort();
        }
    }
}
