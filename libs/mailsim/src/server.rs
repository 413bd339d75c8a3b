//! The builder that starts a simulated server.
//!
//! Apart from `spec`, which is plain data, and from `running`, which has the sockets: a
//! [`Server`] adds to its [`Spec`] the authority and the estate.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::certificate::{Authority, Certificate};
use crate::error::Error;
use crate::estate::Estate;
use crate::fault::{Fault, Rule};
use crate::layout::Layout;
use crate::limits::Limits;
use crate::personality::Personality;
use crate::running::{self, Running};
use crate::secret::Secret;
use crate::spec::{Mailbox, Protocol, Role, Spec, Tls, Versions};
use crate::step::Step;

/// A server to be started.
#[derive(Debug, Clone)]
pub struct Server {
    spec: Spec,
    authority: Option<Arc<Authority>>,
    estate: Option<Arc<Estate>>,
}

impl From<Spec> for Server {
    fn from(spec: Spec) -> Self {
        Self { spec, authority: None, estate: None }
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
        running::start(self.spec, &authority, estate).await
    }
}
