//! One session: lines in, answers out, and the script's say at every step.
//!
//! What IMAP, POP3 and SMTP have in common. Every wait is bounded by [`IDLE_LIMIT`], every line
//! by its caller's limit. An idle plaintext session holds one small read buffer and no more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::fault::{Fault, Rule};
use crate::legacy;
use crate::limits::Present;
use crate::recorder::{Log, What};
use crate::running::Host;
use crate::sasl::{Attempt, Login};
use crate::script::rule_text;
use crate::server::{PlaintextLogin, Tls, Versions};
use crate::step::Step;
use crate::wire::Wire;

/// RFC 9051 §5.4: an IMAP server must not log out sooner than after 30 minutes; we wait as long
/// in every protocol, for reading and for writing.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Bytes asked of the socket at a time, and the memory that an idle session holds for reading.
const READ_CHUNK: usize = 1024;

/// Why a session ends.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the client closed the connection")]
    ByClient,
    #[error("the client said goodbye")]
    Goodbye,
    #[error("the script ended it: {0}")]
    ByScript(String),
    #[error("the server refused the session: {0}")]
    Refused(&'static str),
    #[error("the client was silent for too long")]
    Idle,
    #[error("the client sent too long a line")]
    LongLine,
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    #[error("the socket failed: {0}")]
    Socket(std::io::ErrorKind),
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Socket(error.kind())
    }
}

/// What the script wants at a step.
#[derive(Debug)]
pub(crate) enum Course {
    /// Nothing: the usual answer.
    Usual,
    /// These lines in place of it.
    Reply(String),
    /// The answer already lies in the output.
    Answered,
    /// A fault that only the protocol can perform.
    Special(Arc<Rule>),
}

/// A session, whatever its protocol.
pub(crate) struct Session {
    pub(crate) host: Arc<Host>,
    pub(crate) peer: SocketAddr,
    pub(crate) log: Log,
    /// What will be sent by the next [`Session::flush`].
    pub(crate) out: Vec<u8>,
    /// The user name once it is known.
    pub(crate) user: Option<String>,
    /// Who is logged in.
    pub(crate) login: Option<Arc<Login>>,
    pub(crate) wire: Wire,
    input: BytesMut,
    scanned: usize,
    drip: Option<Duration>,
    present: Option<Present>,
}

impl Session {
    pub(crate) fn new(host: Arc<Host>, tcp: TcpStream, peer: SocketAddr, log: Log) -> Self {
        Self {
            host,
            peer,
            log,
            out: Vec::new(),
            user: None,
            login: None,
            wire: Wire::Plain(tcp),
            input: BytesMut::new(),
            scanned: 0,
            drip: None,
            present: None,
        }
    }

    /// Tells whether TLS is on.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.wire, Wire::Tls(_))
    }

    /// Tells whether STARTTLS makes sense now.
    pub(crate) fn can_secure(&self) -> bool {
        self.host.spec.tls == Tls::Starttls && !self.is_secure()
    }

    /// Tells whether credentials are taken now.
    pub(crate) fn takes_credentials(&self) -> bool {
        self.is_secure()
            || match self.host.spec.plaintext_login {
                PlaintextLogin::Allowed => true,
                PlaintextLogin::Refused => false,
                PlaintextLogin::WithoutTlsOnly => self.host.spec.tls == Tls::None,
            }
    }

    /// Why the session is refused before it begins, if a limit says so.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        let limits = self.host.spec.limits;
        let over = |limit: Option<u32>, now: u64| limit.is_some_and(|l| now > u64::from(l));
        if over(limits.sessions, self.log.concurrent()) {
            return Some("Too many connections");
        }
        over(limits.per_address, self.log.concurrent_of_peer())
            .then_some("Too many connections from your address")
    }

    /// Asks the script about a step, waits as it says, and performs what needs no protocol.
    pub(crate) async fn at(&mut self, step: Step) -> Result<Course, Ended> {
        let found = self.host.rules.find(step, self.peer.ip(), self.user.as_deref());
        if !found.delay.is_zero() {
            self.pause(found.delay).await?;
        }
        self.drip = found.drip;
        let Some(rule) = found.rule else { return Ok(Course::Usual) };
        self.log.event(What::Fault { rule: rule_text(&rule) });
        match &rule.fault {
            Fault::Reply(text) => Ok(Course::Reply(text.clone())),
            Fault::Raw(bytes) => {
                self.out.extend_from_slice(bytes);
                Ok(Course::Answered)
            }
            Fault::Inject(_) | Fault::Preauth | Fault::ByeAfterOk(_) | Fault::EchoPassword => {
                Ok(Course::Special(rule))
            }
            fault => Err(self.suffer(fault, rule_text(&rule)).await),
        }
    }

    /// Adds a line to the output.
    pub(crate) fn say(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// Adds the lines of a scripted reply as they are. Gives whether the last one is positive.
    pub(crate) fn say_lines(&mut self, text: &str, is_positive: impl Fn(&str) -> bool) -> bool {
        for line in text.split('\n') {
            self.say(line);
        }
        text.rsplit('\n').next().is_some_and(is_positive)
    }

    /// Sends the output, byte by byte if the script wants that.
    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        let out = std::mem::take(&mut self.out);
        let Some(pause) = self.drip.take() else { return self.send(&out).await };
        for byte in &out {
            self.send(std::slice::from_ref(byte)).await?;
            self.pause(pause).await?;
        }
        Ok(())
    }

    /// Waits, but not longer than the client does: a session whose client has gone must not
    /// count as open.
    async fn pause(&mut self, pause: Duration) -> Result<(), Ended> {
        let Some(tcp) = self.wire.tcp() else { return Err(Ended::ByClient) };
        let gone = async {
            // Bytes that wait to be read say nothing about what comes after them.
            if tcp.peek(&mut [0]).await.is_ok_and(|n| n > 0) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = gone => Err(Ended::ByClient),
        }
    }

    /// Sends bytes at once.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        if bytes.is_empty() {
            return Ok(());
        }
        let write = async {
            self.wire.write_all(bytes).await?;
            self.wire.flush().await
        };
        timeout(IDLE_LIMIT, write).await.map_err(|_| Ended::Idle)??;
        self.log.sent += bytes.len() as u64;
        Ok(())
    }

    /// Reads a line of at most `limit` bytes and gives it without its end. Sends the output
    /// first.
    pub(crate) async fn line(&mut self, limit: usize) -> Result<Vec<u8>, Ended> {
        self.flush().await?;
        loop {
            let fresh = self.input.get(self.scanned..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|b| *b == b'\n') {
                let end = self.scanned + at + 1;
                self.scanned = 0;
                let line = self.input.split_to(end);
                self.let_go();
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                return Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec());
            }
            self.scanned = self.input.len();
            if self.scanned > limit {
                return Err(Ended::LongLine);
            }
            self.fill().await?;
        }
    }

    /// Reads exactly `len` bytes; the caller bounds `len`.
    pub(crate) async fn exactly(&mut self, len: usize) -> Result<Vec<u8>, Ended> {
        self.flush().await?;
        while self.input.len() < len {
            self.fill().await?;
        }
        self.scanned = 0;
        let bytes = self.input.split_to(len).to_vec();
        self.let_go();
        Ok(bytes)
    }

    /// Reads until the client goes away, and keeps nothing.
    pub(crate) async fn ignore(&mut self) -> Ended {
        loop {
            self.input.clear();
            self.scanned = 0;
            if let Err(ended) = self.fill().await {
                return ended;
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Ended> {
        self.input.reserve(READ_CHUNK);
        let read = timeout(IDLE_LIMIT, self.wire.read_buf(&mut self.input)).await;
        match read.map_err(|_| Ended::Idle)?? {
            0 => Err(Ended::ByClient),
            n => {
                self.log.received += n as u64;
                Ok(())
            }
        }
    }

    /// Gives back what a long line or a literal took.
    fn let_go(&mut self) {
        if self.input.is_empty() && self.input.capacity() > 4 * READ_CHUNK {
            self.input = BytesMut::new();
        }
    }

    /// Takes the socket through the TLS handshake. Plaintext that the client sent ahead is
    /// dropped, as RFC 3501 §6.2.1 and RFC 3207 §4.2 demand.
    pub(crate) async fn secure(&mut self) -> Result<(), Ended> {
        let course = self.at(Step::Tls).await?;
        if matches!(course, Course::Answered) {
            self.flush().await?;
            return Err(self.ignore().await);
        }
        self.input.clear();
        self.scanned = 0;
        if let Versions::Legacy(old) = self.host.spec.versions {
            let record = self.hello().await?;
            self.send(&legacy::answer(old, &record)).await?;
            return Err(self.ignore().await);
        }
        let Wire::Plain(tcp) = std::mem::replace(&mut self.wire, Wire::Gone) else {
            return Err(Ended::Refused("TLS inside TLS"));
        };
        let acceptor = TlsAcceptor::from(Arc::clone(&self.host.tls));
        // On the heap: plaintext sessions must not carry the size of a handshake.
        let handshake = Box::pin(timeout(IDLE_LIMIT, acceptor.accept(tcp)));
        let tls = handshake.await.map_err(|_| Ended::Idle)?;
        let tls = tls.map_err(|error| Ended::Handshake(error.to_string()))?;
        let version = tls.get_ref().1.protocol_version();
        self.log.event(What::Secured {
            version: format!("{:?}", version.unwrap_or(rustls::ProtocolVersion::Unknown(0))),
        });
        self.wire = Wire::Tls(Box::new(tls));
        Ok(())
    }

    /// Reads one TLS record, the ClientHello, or what is there of it.
    async fn hello(&mut self) -> Result<Vec<u8>, Ended> {
        loop {
            let wanted = legacy::record_len(&self.input);
            let have = self.input.len();
            if wanted.is_some_and(|w| have >= w.min(legacy::MAX_HELLO)) {
                return Ok(self.input.split().to_vec());
            }
            self.fill().await?;
        }
    }

    /// Records a submission and remembers whose it was.
    pub(crate) fn note_attempt(&mut self, mechanism: &str, attempt: &Attempt) {
        self.user = Some(attempt.user.clone());
        self.log.event(What::Credential {
            mechanism: mechanism.to_owned(),
            user: attempt.user.clone(),
            right: attempt.login.is_some(),
        });
    }

    /// Lets a user in, or gives the limit and the number of sessions that are in the way.
    pub(crate) fn enter(&mut self, login: Arc<Login>) -> Result<(), (u32, u32)> {
        let limit = self.host.spec.limits.per_user_and_address;
        let user = Arc::clone(&login.user);
        let present = self.host.presence.enter(user, self.peer.ip(), limit);
        self.present = Some(present.map_err(|count| (limit.unwrap_or(count), count))?);
        self.login = Some(login);
        Ok(())
    }
}
