//! The mail servers of a test: in its own process, one address each, so that each is a limit
//! group of its own. What they recorded is what the judge believes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_mailsim::{Estate, Event, Personality, Running, Server, Step};

/// The right password of every mailbox.
pub(crate) const PASSWORD: &str = "pw-CANARY-7731";

/// Events that a server keeps: all of a test.
const HISTORY: usize = 1_000_000;

/// Manners of incoming and outgoing servers, one pair after the other.
const MANNERS: [(Personality, Personality); 3] = [
    (Personality::Dovecot, Personality::Postfix),
    (Personality::Cyrus, Personality::Exim),
    (Personality::Generic, Personality::Postfix),
];

/// How the mail servers of a test are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estates {
    /// Pairs of an incoming and an outgoing server.
    pub(crate) n_pairs: usize,
    /// Mailboxes at each pair.
    pub(crate) n_mailboxes: usize,
    /// How long a login takes. The greeting and the opening take a quarter of it each.
    pub(crate) login: Duration,
}

/// The two servers of some mailboxes.
pub(crate) struct Pair {
    pub(crate) incoming: Running,
    pub(crate) outgoing: Running,
}

/// All mail servers of a test.
pub(crate) struct Mail {
    pub(crate) pairs: Vec<Pair>,
}

/// The address of a mailbox.
pub(crate) fn mailbox(pair: usize, number: usize) -> String {
    format!("u{number}@p{pair}.test")
}

impl Mail {
    /// Starts them.
    pub(crate) async fn start(estates: Estates) -> Self {
        let mut pairs = Vec::new();
        for index in 0..estates.n_pairs {
            let last = u8::try_from(index + 1).expect("some pairs");
            let (incoming, outgoing) = MANNERS[index % MANNERS.len()];
            // Every third pair has POP3.
            let server = if index % 3 == 2 { Server::pop3() } else { Server::imap() };
            let estate = Arc::new(Estate::default());
            let start = async |server: Server, personality, third, opening| {
                let server = server.listen(Ipv4Addr::new(127, 1, third, last));
                let server = server.personality(personality).with(|spec| spec.history = HISTORY);
                let server = server.latency(Step::Login, estates.login);
                let server = server.latency(Step::Greeting, estates.login / 4);
                let mut server = server.latency(opening, estates.login / 4);
                for number in 0..estates.n_mailboxes {
                    server = server.mailbox(mailbox(index, number), PASSWORD);
                }
                server.estate(Arc::clone(&estate)).start().await.expect("a free port")
            };
            let opening = if index % 3 == 2 { Step::Stat } else { Step::Open };
            let incoming = start(server, incoming, 0, opening).await;
            let outgoing = start(Server::smtp(), outgoing, 1, Step::Mail).await;
            pairs.push(Pair { incoming, outgoing });
        }
        Self { pairs }
    }

    /// Every server.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Running> {
        self.pairs.iter().flat_map(|pair| [&pair.incoming, &pair.outgoing])
    }

    /// Sessions that are open now, at all servers.
    pub(crate) fn sessions(&self) -> u64 {
        self.servers().map(|server| server.recorder().sessions().current).sum()
    }

    /// Sessions that were ever open.
    pub(crate) fn total(&self) -> u64 {
        self.servers().map(|server| server.recorder().sessions().total).sum()
    }

    /// Everything that a server has seen.
    pub(crate) fn events(server: &Running) -> Vec<Event> {
        assert_eq!(server.recorder().dropped(), 0, "the history is whole");
        server.recorder().events()
    }
}

/// The key of a server's limit group.
pub(crate) fn group(server: &Running) -> String {
    let protocol = server.protocol().to_string();
    format!("{protocol}:{}", ip(server))
}

fn ip(server: &Running) -> IpAddr {
    server.addr().ip()
}

impl Pair {
    /// A request to check one of the mailboxes of this pair.
    pub(crate) fn request(&self, address: &str, password: &str) -> v1::ValidateRequest {
        let password = v1::login::Credential::Password(password.as_bytes().to_vec());
        v1::ValidateRequest {
            address: address.to_owned(),
            incoming: vec![settings(&self.incoming)],
            outgoing: Some(settings(&self.outgoing)),
            login: Some(v1::Login { username: String::new(), credential: Some(password) }),
            ..v1::ValidateRequest::default()
        }
    }
}

fn settings(server: &Running) -> v1::LegSettings {
    let protocol = match server.protocol() {
        mailfleet_mailsim::Protocol::Imap => v1::endpoint::Protocol::Imap,
        mailfleet_mailsim::Protocol::Pop3 => v1::endpoint::Protocol::Pop3,
        mailfleet_mailsim::Protocol::Smtp => v1::endpoint::Protocol::Smtp,
    };
    let endpoint = v1::Endpoint {
        protocol: protocol.into(),
        host: ip(server).to_string(),
        port: server.port().into(),
        security: v1::endpoint::Security::Tls.into(),
    };
    v1::LegSettings { endpoint: Some(endpoint), login: None }
}
