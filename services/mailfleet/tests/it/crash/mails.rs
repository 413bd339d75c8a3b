//! The mail servers: a few limit groups, each with answers that take their time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_mailsim::{Estate, Personality, Recorder, Running, Server, Step};

/// The password that every mailbox has.
pub(super) const RIGHT: &str = "right-pw-4c1f";
/// Mailboxes that can be logged in to.
const MAILBOXES: usize = 2_000;
/// Events that a server remembers: all of a test.
const HISTORY: usize = 1_000_000;

/// One server and how many sessions it may see at once.
pub(super) struct Mail {
    pub(super) limit: u32,
    pub(super) running: Running,
    address: IpAddr,
}

/// All of them.
pub(super) struct Mails {
    pub(super) imap: [Mail; 2],
    pub(super) smtp: [Mail; 2],
    pub(super) pop3: Mail,
    /// What signed their certificates, as a file.
    pub(super) ca: tempfile::NamedTempFile,
}

/// The address of a mailbox.
pub(super) fn address(number: usize) -> String {
    format!("user{number}@example.test")
}

impl Mail {
    async fn start(server: Server, last: u8, limit: u32, latency: (Step, u64)) -> Self {
        let address = IpAddr::from([127, 0, 0, last]);
        let (step, pause) = latency;
        let mut server = server.listen(address).latency(step, Duration::from_millis(pause));
        for number in 0..MAILBOXES {
            server = server.mailbox(self::address(number), RIGHT);
        }
        let server = server.with(|spec| spec.history = HISTORY);
        let running = server.start().await.expect("the server starts");
        Self { limit, running, address }
    }

    /// Host and port.
    pub(super) fn at(&self) -> (String, u16) {
        (self.address.to_string(), self.running.port())
    }

    pub(super) fn recorder(&self) -> &Recorder {
        self.running.recorder()
    }

    /// The limit group, as the configuration names it.
    fn group(&self) -> String {
        format!("{}:{}", self.running.protocol(), self.address)
    }
}

impl Mails {
    pub(super) async fn start() -> Self {
        let estates = [Arc::<Estate>::default(), Arc::default()];
        let imap = |estate: &Arc<Estate>| {
            Server::imap().personality(Personality::Dovecot).estate(Arc::clone(estate))
        };
        let smtp = |estate: &Arc<Estate>| {
            Server::smtp().personality(Personality::Postfix).estate(Arc::clone(estate))
        };
        let [first, second] = &estates;
        let ca = crate::check::authority();
        Self {
            imap: [
                Mail::start(imap(first), 21, 4, (Step::Any, 20)).await,
                Mail::start(imap(second), 22, 3, (Step::Login, 100)).await,
            ],
            smtp: [
                Mail::start(smtp(first), 23, 4, (Step::Any, 30)).await,
                Mail::start(smtp(second), 24, 3, (Step::Login, 60)).await,
            ],
            pop3: Mail::start(Server::pop3(), 25, 2, (Step::Any, 25)).await,
            ca,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Mail> + Clone {
        self.imap.iter().chain(&self.smtp).chain([&self.pop3])
    }

    /// The configuration that a gateway needs for them.
    pub(super) fn configuration(&self) -> String {
        let mut toml = format!("[trust]\nroots = [\"{}\"]\n", self.ca.path().display());
        for mail in self.all() {
            let (group, limit) = (mail.group(), mail.limit);
            let row = format!("[[limits.group]]\nmatch = \"{group}\"\nconcurrency = {limit}\n");
            toml.push_str(&row);
        }
        toml
    }
}
