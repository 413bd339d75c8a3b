//! One IMAP connection: commands out, replies in, one at a time.
//!
//! async-imap frames and parses what comes in, behind the guard; its high-level methods
//! are not used, since they swallow refusals and lost connections, and since before the
//! login they show only whether a command succeeded. Commands are written straight to
//! the stream and never through async-imap, which would hand them, passwords included,
//! to the log. Nothing here waits for a time or judges a reply.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use async_imap::Client;
use async_imap::imap_proto::Response;
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::capability::Capabilities;
use super::command::Command;
use super::frame::{Violation, trimmed};
use super::guard::{Guarded, Seen};
use super::shape::{self, Condition, Shape, TAG_LETTER};
use crate::stream::{MailStream, TooManyBytes};

/// How long a tagged reply is waited for behind a `* BYE` that came in its place.
const BYE_PATIENCE: Duration = Duration::from_millis(200);
/// Most untagged status lines of one command that are kept as evidence.
const MAX_NOTES: usize = 4;

/// One response of the server.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A status line, untagged.
    Untagged(StatusLine),
    /// The end of a command. The tag is the server's; [`Wire`] compares it.
    Tagged(String, StatusLine),
    /// The server waits for more; the text behind `+`.
    Continue(Vec<u8>),
    /// Data that the parser understood; whoever collects has seen it.
    Data,
    /// A capability line. Read here, since the parser wants `IMAP4rev1` in it.
    Capability(Capabilities),
    /// Something that no client of ours needs; its first line.
    Other(Vec<u8>),
    /// No IMAP: the line as it came.
    Foreign(Vec<u8>),
}

/// A status line: condition and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusLine {
    /// What the server says; `None` where a tagged reply has no known word.
    pub(crate) condition: Option<Condition>,
    /// Its words as they came, codes included; at most 4 KiB.
    pub(crate) text: Vec<u8>,
}

impl StatusLine {
    /// The arguments of the bracketed code of this name.
    pub(crate) fn code(&self, name: &str) -> Option<&[u8]> {
        shape::code(&self.text).filter(|(code, _)| code == name).map(|(_, arguments)| arguments)
    }

    /// The number in the bracketed code of this name.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        std::str::from_utf8(self.code(name)?).ok()?.trim().parse().ok()
    }

    /// The capabilities in the bracketed code, if it has them.
    pub(crate) fn capabilities(&self) -> Option<Capabilities> {
        self.code("CAPABILITY").map(Capabilities::parse)
    }
}

/// A negative answer, or an end that stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What the server said; `None` for a tagged reply with no known word.
    pub(crate) condition: Option<Condition>,
    /// Its words as they came, the answer's first, then those of untagged status lines.
    pub(crate) lines: Vec<Vec<u8>>,
}

/// Why a command has no good end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server refused, or said `BYE`.
    #[error("the server refused")]
    Refused(Refused),
    /// The server closed the connection; with the status lines that it sent before.
    #[error("the server closed the connection")]
    Closed(Vec<Vec<u8>>),
    /// The server sent what is no IMAP.
    #[error("the server sent what is no IMAP")]
    Foreign(Vec<u8>),
    /// The server passed a bound.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The session's byte budget is used up.
    #[error("the server sent too much")]
    TooManyBytes,
    /// The operating system or TLS reports an error.
    #[error("the connection failed")]
    Io(#[source] io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if let Some(inner) = error.get_ref() {
            if let Some(violation) = inner.downcast_ref::<Violation>() {
                return Self::Violation(*violation);
            }
            if inner.is::<TooManyBytes>() {
                return Self::TooManyBytes;
            }
        }
        Self::Io(error)
    }
}

/// What came between a command and its end, for the one who asked.
pub(crate) trait Collect {
    /// Takes one data response.
    fn data(&mut self, data: &Response<'_>);
    /// Takes one untagged status line; few care.
    fn status(&mut self, _line: &StatusLine) {}
}

/// For commands whose data nobody needs.
impl Collect for () {
    fn data(&mut self, _data: &Response<'_>) {}
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    client: Client<Guarded<MailStream>>,
    tag: u16,
    capabilities: Option<Capabilities>,
    told: Told,
    notes: VecDeque<Vec<u8>>,
    is_over: bool,
}

/// Since when the server's capabilities are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Since the last change of state, by the server itself.
    Now,
    /// Since the last change of state, as the answer to CAPABILITY.
    WhenAsked,
    /// From before it: they no longer count, except for how a command may be written.
    Before,
}

impl Wire {
    /// Takes over a stream from which nothing was read yet.
    pub(crate) fn new(stream: MailStream) -> Self {
        Self {
            client: Client::new(Guarded::new(stream)),
            tag: 0,
            capabilities: None,
            told: Told::Before,
            notes: VecDeque::new(),
            is_over: false,
        }
    }

    /// What the server offers, as last told.
    pub(crate) fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// Whether the server told what it offers since the last [`Wire::outdate`].
    pub(crate) fn knows_capabilities(&self) -> bool {
        self.capabilities.is_some() && self.told != Told::Before
    }

    /// Whether it told so as the answer to CAPABILITY, and not only by the way.
    pub(crate) fn was_asked(&self) -> bool {
        self.told == Told::WhenAsked
    }

    /// Notes that what the server offers may change now: a login begins.
    pub(crate) fn outdate(&mut self) {
        self.told = Told::Before;
    }

    /// Whether the server has ended the session, or the connection is lost.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What was received of an unfinished line.
    fn partial(&self) -> &[u8] {
        self.client.get_ref().buffered()
    }

    /// Reads the next reply; `more` gets what the parser understood.
    ///
    /// Not cancel-safe: after a cancelled call only a farewell may be sent.
    ///
    /// # Errors
    /// If the connection ends or a bound is passed.
    pub(crate) async fn read(&mut self, more: &mut impl Collect) -> Result<Reply, Error> {
        let read = self.client.read_response().await;
        self.is_over |= !matches!(read, Ok(Some(_)));
        let data = match read {
            Ok(Some(data)) => data,
            Ok(None) => return Err(self.closed()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.closed()),
            Err(error) => return Err(error.into()),
        };
        let current = self.client.get_mut().take_current();
        let Some(current) = current else { return Ok(Reply::Other(Vec::new())) };
        let text = || shape::text_of(current.shape, first_line(&current.raw)).to_vec();
        let reply = match current.shape {
            Shape::Untagged(condition) => {
                Reply::Untagged(StatusLine { condition: Some(condition), text: text() })
            }
            Shape::Tagged(condition) => {
                let tag = shape::tag_and_rest(&current.raw).map(|(tag, _)| tag.to_owned());
                Reply::Tagged(tag.unwrap_or_default(), StatusLine { condition, text: text() })
            }
            Shape::Continue => Reply::Continue(text()),
            Shape::Foreign => Reply::Foreign(text()),
            Shape::Data => match capability_line(&current.raw) {
                Some(capabilities) => Reply::Capability(capabilities),
                None if current.seen == Seen::Itself => {
                    more.data(data.parsed());
                    Reply::Data
                }
                None => Reply::Other(text()),
            },
        };
        self.learn(&reply);
        Ok(reply)
    }

    /// The end of the connection: with an unfinished line, which may be another
    /// protocol's, or with the status lines that came before.
    fn closed(&mut self) -> Error {
        let partial = self.partial();
        if partial.is_empty() {
            return Error::Closed(self.take_notes());
        }
        let kept = partial.get(..shape::MAX_TEXT).unwrap_or(partial);
        Error::Foreign(kept.to_vec())
    }

    /// Keeps what later steps and diagnoses need.
    fn learn(&mut self, reply: &Reply) {
        match reply {
            Reply::Capability(capabilities) => {
                self.capabilities = Some(capabilities.clone());
                self.told = Told::WhenAsked;
            }
            Reply::Untagged(line) | Reply::Tagged(_, line) => {
                if let Some(capabilities) = line.capabilities() {
                    self.capabilities = Some(capabilities);
                    self.told = Told::Now;
                }
                self.is_over |= line.condition == Some(Condition::Bye);
                if matches!(reply, Reply::Untagged(_)) && is_telling(line) {
                    self.notes.truncate(MAX_NOTES.saturating_sub(1));
                    self.notes.push_front(line.text.clone());
                }
            }
            Reply::Continue(_) | Reply::Data | Reply::Other(_) | Reply::Foreign(_) => {}
        }
    }

    /// The telling status lines since the last command, the latest first.
    pub(crate) fn take_notes(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.notes).into()
    }

    /// Sends a command and reads until it is answered. `more` gets the data in between.
    ///
    /// # Errors
    /// If the server refuses, says `BYE`, closes or passes a bound.
    pub(crate) async fn run(
        &mut self,
        command: Command,
        more: &mut impl Collect,
    ) -> Result<StatusLine, Error> {
        let tag = self.send(command, more).await?;
        match self.read_to(&tag, Continuation::Unexpected, more).await? {
            Answer::Done(line) => Ok(line),
            Answer::Prompt(_) => Err(Error::Foreign(b"+".to_vec())),
        }
    }

    /// Sends a command; returns its tag. Waits for the server's word before each literal,
    /// unless it takes literals unasked (RFC 7888).
    pub(crate) async fn send(
        &mut self,
        command: Command,
        more: &mut impl Collect,
    ) -> Result<String, Error> {
        self.tag = self.tag.wrapping_add(1) % 10_000;
        let tag = format!("{TAG_LETTER}{:04}", self.tag);
        self.client.get_mut().begin_command();
        self.notes.clear();
        let (parts, last) = command.into_parts();
        let mut out = zeroize::Zeroizing::new(format!("{tag} ").into_bytes());
        for part in parts {
            let length = part.literal.len();
            let unasked = self.capabilities().is_some_and(|c| c.takes_literal_unasked(length));
            out.extend_from_slice(&part.line);
            let sign = if unasked { "+" } else { "" };
            out.extend_from_slice(format!("{{{length}{sign}}}\r\n").as_bytes());
            if !unasked {
                self.write(&out).await?;
                out.clear();
                match self.read_to(&tag, Continuation::Expected, more).await? {
                    Answer::Prompt(_) => {}
                    Answer::Done(line) => return Err(refused(&line, self.take_notes())),
                }
            }
            out.extend_from_slice(&part.literal);
        }
        out.extend_from_slice(&last);
        out.extend_from_slice(b"\r\n");
        self.write(&out).await?;
        Ok(tag)
    }

    /// Writes bytes that make up whole lines, and flushes them.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let stream = self.client.get_mut();
        let written = match stream.write_all(bytes).await {
            Ok(()) => stream.flush().await,
            Err(error) => Err(error),
        };
        // A server that hung up may have said why; its last words are still to be read.
        match written {
            Err(error) if is_hung_up(&error) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Reads until the command with this tag is answered or the server wants more of it.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) async fn read_to(
        &mut self,
        tag: &str,
        continuation: Continuation,
        more: &mut impl Collect,
    ) -> Result<Answer, Error> {
        loop {
            match self.read(more).await? {
                Reply::Tagged(got, line) if got == tag => {
                    return match line.condition {
                        Some(Condition::Ok) => Ok(Answer::Done(line)),
                        _ => Err(refused(&line, self.take_notes())),
                    };
                }
                Reply::Untagged(line) if line.condition == Some(Condition::Bye) => {
                    return Err(self.last_words(tag, line).await);
                }
                Reply::Untagged(line) => more.status(&line),
                Reply::Continue(text) if continuation == Continuation::Expected => {
                    return Ok(Answer::Prompt(text));
                }
                Reply::Foreign(line) => return Err(Error::Foreign(line)),
                Reply::Tagged(..)
                | Reply::Continue(_)
                | Reply::Data
                | Reply::Capability(_)
                | Reply::Other(_) => {}
            }
        }
    }

    /// A `BYE` ends the session, whether or not the server closes it. A refusal right
    /// behind it says more.
    async fn last_words(&mut self, tag: &str, bye: StatusLine) -> Error {
        let behind = async {
            loop {
                match self.read(&mut ()).await {
                    Ok(Reply::Tagged(got, line)) if got == tag => return Some(line),
                    Ok(_) => {}
                    Err(_) => return None,
                }
            }
        };
        let line = timeout(BYE_PATIENCE, behind).await.ok().flatten();
        match line.filter(|line| line.condition != Some(Condition::Ok)) {
            Some(line) => refused(&line, self.take_notes()),
            None => {
                let mut notes = self.take_notes();
                notes.retain(|note| *note != bye.text);
                refused(&bye, notes)
            }
        }
    }

    /// What the server sent behind its last reply, looked at without waiting.
    ///
    /// # Errors
    /// If the connection fails.
    pub(crate) async fn stray_bytes(&mut self) -> Result<&[u8], Error> {
        let guard = self.client.get_mut();
        poll_fn(|cx| match guard.poll_stray(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        Ok(guard.buffered())
    }

    /// Gives back the socket for a TLS upgrade; `None` if it already carries TLS.
    pub(crate) fn into_plain(self) -> Option<TcpStream> {
        self.client.into_inner().into_inner().into_plain()
    }
}

/// Whether a `+` is what the command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continuation {
    /// It is.
    Expected,
    /// It is noise.
    Unexpected,
}

/// What ends the wait for a reply.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The command succeeded.
    Done(StatusLine),
    /// The server wants more; the text behind `+`.
    Prompt(Vec<u8>),
}

/// Whether a write failed because the server has closed its side.
fn is_hung_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

fn refused(line: &StatusLine, notes: Vec<Vec<u8>>) -> Error {
    let lines = std::iter::once(line.text.clone()).chain(notes).collect();
    Error::Refused(Refused { condition: line.condition, lines })
}

/// Whether an untagged status line belongs to the evidence of a refusal.
fn is_telling(line: &StatusLine) -> bool {
    match line.condition {
        Some(Condition::No | Condition::Bad | Condition::Bye) => true,
        Some(Condition::Ok) => line.code("ALERT").is_some(),
        Some(Condition::Preauth) | None => false,
    }
}

fn first_line(raw: &Bytes) -> &[u8] {
    trimmed(raw.split(|b| *b == b'\n').next().unwrap_or_default())
}

fn capability_line(raw: &Bytes) -> Option<Capabilities> {
    let (word, rest) = shape::data_word(first_line(raw))?;
    (word == "CAPABILITY").then(|| Capabilities::parse(rest))
}
