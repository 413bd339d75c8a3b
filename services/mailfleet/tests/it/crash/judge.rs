//! The judge: whether the promises were kept, by the servers' records and the final answers.

use std::collections::BTreeMap;

use mailfleet_api::v1;
use mailfleet_api::v1::report::Verdict;
use mailfleet_mailsim::{Event, What};

use super::mails::{Mail, Mails, address};
use super::orders::{Kind, Order};

/// Everything that there is to look at.
pub(super) struct Evidence<'a> {
    pub(super) mails: &'a Mails,
    pub(super) orders: &'a [Order],
    /// The final state of each order's job, in the order of the orders.
    pub(super) ends: &'a [v1::Job],
    /// What the gateway lists.
    pub(super) listed: &'a [v1::Job],
    /// When the kernel had closed all sockets of each killed process, in microseconds since
    /// 1970.
    pub(super) kills: &'a [u64],
}

impl Evidence<'_> {
    /// Gives every broken promise, as a sentence.
    pub(super) fn judged(&self) -> Vec<String> {
        let mut broken = Vec::new();
        self.jobs(&mut broken);
        for mail in self.mails.all() {
            let recorder = mail.recorder();
            let server = mail.running.addr();
            if recorder.dropped() > 0 {
                broken.push(format!("{server} forgot events: the test is too long"));
            }
            if recorder.sessions().current > 0 {
                broken.push(format!("{server} has sessions open"));
            }
            let most = self.most_at_once(mail);
            if most > u64::from(mail.limit) {
                broken.push(format!("{server}: {most} sessions, {} allowed", mail.limit));
            }
        }
        self.mails_sent(&mut broken);
        self.passwords(&mut broken);
        broken
    }

    fn jobs(&self, broken: &mut Vec<String>) {
        let mut listed: BTreeMap<&str, Vec<&v1::Job>> = BTreeMap::new();
        for job in self.listed {
            listed.entry(&job.mailbox).or_default().push(job);
        }
        for (order, end) in self.orders.iter().zip(self.ends) {
            let mailbox = address(order.number);
            let what = format!("{} ({:?}, {mailbox})", end.name, order.kind());
            if end.state() != v1::job::State::Done {
                broken.push(format!("{what} is {}", end.state().as_str_name()));
            }
            let jobs = listed.remove(mailbox.as_str()).unwrap_or_default();
            if jobs.len() != 1 || jobs.iter().any(|job| job.name != end.name) {
                broken.push(format!("{what} is not the only job of its mailbox: {jobs:?}"));
            }
            let Some(report) = &end.report else {
                broken.push(format!("{what} has no report"));
                continue;
            };
            if order.report.as_ref().is_some_and(|streamed| streamed != report) {
                broken.push(format!("{what} has two reports"));
            }
            let codes: Vec<_> =
                report.faults.iter().map(|fault| fault.code().as_str_name()).collect();
            let expected = match order.kind() {
                Kind::Both | Kind::Pop3 | Kind::TestMail => report.verdict() == Verdict::Healthy,
                Kind::Wrong | Kind::WrongInBoth => {
                    report.verdict() == Verdict::Faulty
                        && codes.contains(&"AUTH_INVALID_CREDENTIALS")
                }
            };
            // Whatever a crash spoils is told as what it is, and blamed on nobody.
            let crashes = self.crashes(order);
            let spoilt = |code: &str| match code {
                // On its way in a crash; or found and put away, with no word of it.
                "SUBMISSION_OUTCOME_UNKNOWN" | "TEST_MAIL_NOT_RECEIVED" => {
                    order.kind() == Kind::TestMail && crashes > 0
                }
                // Started three times, and each time killed.
                "WORKER_LOST" => crashes >= 3,
                _ => false,
            };
            let good = expected
                || report.verdict() == Verdict::Inconclusive && codes.iter().any(|c| spoilt(c));
            if !good {
                broken.push(format!("{what} ended {} {codes:?}", report.verdict().as_str_name()));
            }
        }
        for (mailbox, jobs) in listed {
            broken.push(format!("{mailbox} has {} jobs that nobody was told of", jobs.len()));
        }
    }

    /// How often the gateway was killed since the order was given.
    fn crashes(&self, order: &Order) -> u32 {
        u32::try_from(self.kills.len()).unwrap_or(u32::MAX).saturating_sub(order.since)
    }

    /// Most sessions at once. One ends with the client's leave, with its socket, or with the
    /// process that had it, which the server may be slow to notice.
    fn most_at_once(&self, mail: &Mail) -> u64 {
        let mut sessions: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for Event { session, at_us, what, .. } in mail.recorder().events() {
            match what {
                What::Opened { .. } => {
                    let killed = self.kills.iter().filter(|killed| at_us < **killed).min();
                    sessions.insert(session, (at_us, killed.copied().unwrap_or(u64::MAX)));
                }
                What::Command { line } if line == "LOGOUT" || line == "QUIT" => {
                    sessions.entry(session).and_modify(|times| times.1 = times.1.min(at_us));
                }
                What::Closed { .. } => {
                    sessions.entry(session).and_modify(|times| times.1 = times.1.min(at_us));
                }
                _ => {}
            }
        }
        let begins = sessions.values().map(|(begin, _)| (*begin, 1_i64));
        let ends = sessions.values().map(|(_, end)| (*end, -1_i64));
        let mut changes: Vec<_> = begins.chain(ends).collect();
        // Ends come before begins of the same microsecond.
        changes.sort_unstable();
        let (mut open, mut most) = (0, 0);
        for (_, change) in changes {
            open += change;
            most = most.max(open);
        }
        u64::try_from(most).unwrap_or_default()
    }

    fn mails_sent(&self, broken: &mut Vec<String>) {
        let mut sent: BTreeMap<String, u32> = BTreeMap::new();
        for event in self.mails.all().flat_map(|mail| mail.recorder().events()) {
            if let What::Mail { from, .. } = event.what {
                *sent.entry(from).or_default() += 1;
            }
        }
        for order in self.orders.iter().filter(|order| order.kind() != Kind::TestMail) {
            if sent.contains_key(&address(order.number)) {
                broken.push(format!("{} sent a mail unasked", address(order.number)));
            }
        }
        for (from, times) in sent.iter().filter(|(_, times)| **times > 1) {
            broken.push(format!("the test mail of {from} was sent {times} times"));
        }
    }

    fn passwords(&self, broken: &mut Vec<String>) {
        for mail in self.mails.all() {
            let mut tries: BTreeMap<String, u32> = BTreeMap::new();
            for event in mail.recorder().events() {
                if let What::Credential { user, right: false, .. } = event.what {
                    *tries.entry(user).or_default() += 1;
                }
            }
            for order in self.orders {
                let allowed = 1 + self.crashes(order);
                let tried = tries.get(&address(order.number)).copied().unwrap_or_default();
                if tried > allowed {
                    let who = address(order.number);
                    let server = mail.running.addr();
                    broken.push(format!("{who}: refused {tried} times at {server}"));
                }
            }
        }
    }
}
