//! What a simulated server is, as data, and the builder that starts it.
//!
//! Apart from `running`, which has the sockets. A [`Spec`] can be compared, printed and written
//! as a script; a [`Server`] adds what cannot be written down: the authority and the estate.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::certificate::{Authority, Certificate};
use crate::error::Error;
use crate::estate::Estate;
use crate::fault::{Fault, Rule};
use crate::layout::Layout;
use crate::limits::Limits;
use crate::personality::Personality;
use crate::recorder::Tap;
use crate::running::{self, Running};
use crate::sasl::Mechanism;
use crate::secret::Secret;
use crate::step::Step;

/// A mail protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Protocol {
    /// RFC 9051 and RFC 3501.
    Imap,
    /// RFC 1939.
    Pop3,
    /// RFC 5321 and RFC 6409.
    Smtp,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Tls {
    /// With the first byte.
    #[default]
    Implicit,
    /// With the STARTTLS or STLS command.
    Starttls,
    /// Never; also the plain server on a TLS port.
    None,
}

/// Which versions of TLS a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Versions {
    /// 1.3 and 1.2.
    #[default]
    Modern,
    /// 1.2 only.
    Tls12,
    /// Something older, see [`OldTls`].
    Legacy(OldTls),
}

/// What a server from another age speaks at most. Such a server never completes a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OldTls {
    /// TLS 1.1.
    Tls11,
    /// TLS 1.0.
    Tls10,
    /// SSL 3.
    Ssl3,
    /// TLS 1.2, but only with cipher suites that modern clients leave out.
    Ciphers,
}

impl OldTls {
    /// The version as the record layer writes it.
    pub(crate) fn wire_version(self) -> u16 {
        match self {
            Self::Ciphers => 0x0303,
            Self::Tls11 => 0x0302,
            Self::Tls10 => 0x0301,
            Self::Ssl3 => 0x0300,
        }
    }
}

/// Whether the server wants a certificate from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, strum::Display, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum ClientCertificate {
    /// Does not ask.
    #[default]
    NotAsked,
    /// Ends the handshake without one.
    Required,
}

/// Whether credentials are taken without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::Display, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum PlaintextLogin {
    /// Only by servers that have no TLS at all.
    #[default]
    WithoutTlsOnly,
    /// Always.
    Allowed,
    /// Never.
    Refused,
}

/// What an SMTP server is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Takes mail from users who log in (ports 587 and 465).
    #[default]
    Submission,
    /// Takes mail for its own users from anybody, and offers no AUTH (port 25).
    Relay,
}

/// A mailbox that can be logged in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The mail address; names the account in the estate, in lower case.
    pub address: String,
    /// The name to log in with, where it is not the address.
    pub login: Option<String>,
    /// The password; none means that no password is right.
    pub password: Option<Secret>,
    /// The bearer token; none means that no token is right.
    pub token: Option<Secret>,
    /// How many messages lie in INBOX at the start.
    pub messages: u32,
}

impl Mailbox {
    /// A mailbox with a password and nothing in it.
    #[must_use]
    pub fn new(address: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self {
            address: address.into(),
            login: None,
            password: Some(password.into()),
            token: None,
            messages: 0,
        }
    }
}

/// Everything that a script can say about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// What it speaks.
    pub protocol: Protocol,
    /// When TLS begins. Defaults to implicit.
    pub tls: Tls,
    /// Its certificate. Defaults to a good one.
    pub certificate: Certificate,
    /// Its TLS versions. Defaults to 1.2 and 1.3.
    pub versions: Versions,
    /// Whether clients need a certificate. Defaults to no.
    pub client_certificate: ClientCertificate,
    /// Whether credentials are taken without TLS.
    pub plaintext_login: PlaintextLogin,
    /// Whose manners it has. Defaults to nobody's.
    pub personality: Personality,
    /// What an SMTP server is there for. Defaults to submission.
    pub role: Role,
    /// The folders of its accounts. Defaults to what the personality has.
    pub layout: Option<Layout>,
    /// The address to listen on. Defaults to 127.0.0.1.
    pub address: IpAddr,
    /// The port to listen on. Defaults to 0: a free one.
    pub port: u16,
    /// A host name for the certificate and the banner, beside `localhost` and the address.
    pub host: Option<String>,
    /// The mechanisms offered, where not the personality's.
    pub mechanisms: Option<Vec<Mechanism>>,
    /// Largest message that SMTP takes, in bytes. Defaults to 10 MiB.
    pub size_limit: u64,
    /// How many sessions it bears.
    pub limits: Limits,
    /// Who can log in.
    pub mailboxes: Vec<Mailbox>,
    /// What goes wrong.
    pub rules: Vec<Rule>,
    /// How many events the recorder keeps. Defaults to 4096; the oldest are dropped and counted.
    pub history: usize,
}

/// Events that a recorder keeps unless told otherwise.
const DEFAULT_HISTORY: usize = 4096;

/// Postfix's default `message_size_limit` is 10,240,000; a rounder number shows that it is ours.
const DEFAULT_SIZE_LIMIT: u64 = 10 * 1024 * 1024;

impl Spec {
    /// A server with every default.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            tls: Tls::default(),
            certificate: Certificate::default(),
            versions: Versions::default(),
            client_certificate: ClientCertificate::default(),
            plaintext_login: PlaintextLogin::default(),
            personality: Personality::default(),
            role: Role::default(),
            layout: None,
            address: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            host: None,
            mechanisms: None,
            size_limit: DEFAULT_SIZE_LIMIT,
            limits: Limits::default(),
            mailboxes: Vec::new(),
            rules: Vec::new(),
            history: DEFAULT_HISTORY,
        }
    }

    /// The host name to connect to: the given one, else `localhost`, else the address.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.host {
            Some(host) => host.clone(),
            None if self.address == IpAddr::V4(Ipv4Addr::LOCALHOST) => "localhost".to_owned(),
            None => self.address.to_string(),
        }
    }

    /// The folders that accounts get.
    #[must_use]
    pub fn folders(&self) -> Layout {
        self.layout.unwrap_or(self.personality.layout())
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let misfit = self.rules.iter().find(|r| !r.fault.fits(r.step, self.protocol));
        misfit.map_or(Ok(()), |rule| {
            Err(Error::Rule {
                fault: crate::script::fault_text(&rule.fault),
                step: rule.step,
                protocol: self.protocol,
            })
        })
    }
}

/// A server to be started.
#[derive(Clone)]
pub struct Server {
    spec: Spec,
    authority: Option<Arc<Authority>>,
    estate: Option<Arc<Estate>>,
    extras: Extras,
}

/// What a server may have beside its description and its estate.
#[derive(Clone, Default)]
pub(crate) struct Extras {
    /// With this password whoever has no mailbox gets one.
    pub(crate) anybody: Option<Secret>,
    /// Is told every event.
    pub(crate) tap: Option<Tap>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl From<Spec> for Server {
    fn from(spec: Spec) -> Self {
        Self { spec, authority: None, estate: None, extras: Extras::default() }
    }
}

impl Server {
    /// An IMAP server with implicit TLS and a good certificate.
    #[must_use]
    pub fn imap() -> Self {
        Spec::new(Protocol::Imap).into()
    }

    /// A POP3 server with implicit TLS and a good certificate.
    #[must_use]
    pub fn pop3() -> Self {
        Spec::new(Protocol::Pop3).into()
    }

    /// An SMTP submission server with implicit TLS and a good certificate.
    #[must_use]
    pub fn smtp() -> Self {
        Spec::new(Protocol::Smtp).into()
    }

    /// Reads a script with exactly one server; [`crate::Scenario`] reads more.
    ///
    /// # Errors
    /// The first line that could not be read, with its number.
    pub fn parse(script: &str) -> Result<Self, crate::ScriptError> {
        crate::script::parse_one(script).map(Self::from)
    }

    /// What has been set so far.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Sets anything that has no method of its own.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        change(&mut self.spec);
        self
    }

    /// Sets when TLS begins.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        self.with(|s| s.tls = tls)
    }

    /// Sets the certificate case.
    #[must_use]
    pub fn certificate(self, certificate: Certificate) -> Self {
        self.with(|s| s.certificate = certificate)
    }

    /// Sets the TLS versions.
    #[must_use]
    pub fn versions(self, versions: Versions) -> Self {
        self.with(|s| s.versions = versions)
    }

    /// Sets whose manners the server has.
    #[must_use]
    pub fn personality(self, personality: Personality) -> Self {
        self.with(|s| s.personality = personality)
    }

    /// Sets what an SMTP server is there for.
    #[must_use]
    pub fn role(self, role: Role) -> Self {
        self.with(|s| s.role = role)
    }

    /// Sets the folders of the accounts.
    #[must_use]
    pub fn layout(self, layout: Layout) -> Self {
        self.with(|s| s.layout = Some(layout))
    }

    /// Adds a mailbox with a password; the user name is the address.
    #[must_use]
    pub fn mailbox(self, address: impl Into<String>, password: impl Into<Secret>) -> Self {
        let mailbox = Mailbox::new(address, password);
        self.with(|s| s.mailboxes.push(mailbox))
    }

    /// Gives everybody a mailbox who comes with this password, so that a load test need not name
    /// a hundred thousand of them. Holds for passwords as such, not for SCRAM and CRAM-MD5.
    #[must_use]
    pub fn anybody(mut self, password: impl Into<Secret>) -> Self {
        self.extras.anybody = Some(password.into());
        self
    }

    /// Tells every event to `tap`, whatever the history keeps.
    #[must_use]
    pub fn tap(mut self, tap: Tap) -> Self {
        self.extras.tap = Some(tap);
        self
    }

    /// Sets the address to listen on, any of this machine's.
    #[must_use]
    pub fn listen(self, address: impl Into<IpAddr>) -> Self {
        let address = address.into();
        self.with(|s| s.address = address)
    }

    /// Sets the host name in certificate and banner.
    #[must_use]
    pub fn host(self, host: impl Into<String>) -> Self {
        let host = host.into();
        self.with(|s| s.host = Some(host))
    }

    /// Sets how many sessions the server bears.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|s| s.limits = limits)
    }

    /// Makes something go wrong at a step, every time.
    #[must_use]
    pub fn at(self, step: Step, fault: Fault) -> Self {
        self.rule(Rule::new(step, fault))
    }

    /// Makes something go wrong under conditions.
    #[must_use]
    pub fn rule(self, rule: Rule) -> Self {
        self.with(|s| s.rules.push(rule))
    }

    /// Delays the answer at a step; [`Step::Any`] delays all.
    #[must_use]
    pub fn latency(self, step: Step, delay: Duration) -> Self {
        self.at(step, Fault::Delay(delay))
    }

    /// Uses this authority instead of the process's own.
    #[must_use]
    pub fn authority(mut self, authority: Arc<Authority>) -> Self {
        self.authority = Some(authority);
        self
    }

    /// Keeps the accounts in this estate, so that several servers share them.
    #[must_use]
    pub fn estate(mut self, estate: Arc<Estate>) -> Self {
        self.estate = Some(estate);
        self
    }

    /// Starts the server; it runs until the result is dropped or shut down.
    ///
    /// # Errors
    /// When a rule fits neither step nor protocol, the address cannot be listened on, or a
    /// certificate cannot be made.
    pub async fn start(self) -> Result<Running, Error> {
        self.spec.check()?;
        let authority = match self.authority {
            Some(authority) => authority,
            None => Authority::shared()?,
        };
        let estate = self.estate.unwrap_or_else(|| Arc::new(Estate::default()));
        running::start(self.spec, &authority, estate, self.extras).await
    }
}
