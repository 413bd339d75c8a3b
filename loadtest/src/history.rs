//! What the simulated mail servers wrote down, and the judge who reads it afterwards.
//!
//! The judge knows the limits, the pool's addresses and how often each mailbox was asked for,
//! and nothing of how the fleet works.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

/// A session at a mail server. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The server as limits count it, such as `imap:127.10.0.1`.
    pub(crate) server: Arc<str>,
    pub(crate) from: IpAddr,
    pub(crate) opened: u64,
    /// When the server noticed its end.
    pub(crate) closed: u64,
    /// Who logged in, and whether the password was right.
    pub(crate) login: Option<(String, bool)>,
}

impl Session {
    /// The session as a line of the history.
    pub(crate) fn line(&self) -> String {
        let Self { server, from, opened, closed, login } = self;
        let (user, right) = login.as_ref().map_or(("", "-"), |(user, is_right)| {
            (user.as_str(), if *is_right { "right" } else { "wrong" })
        });
        format!("{server},{from},{opened},{closed},{right},{user}")
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.splitn(6, ',').collect();
        let [server, from, opened, closed, right, user] = fields.as_slice() else { return None };
        let login = match *right {
            "-" => None,
            right => Some(((*user).to_owned(), right == "right")),
        };
        Some(Self {
            server: (*server).into(),
            from: from.parse().ok()?,
            opened: opened.parse().ok()?,
            closed: closed.parse().ok()?,
            login,
        })
    }
}

/// Reads a history.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Session>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the history {}", path.display()))?;
    let session =
        |line| Session::parse(line).with_context(|| format!("{line:?} is no line of a history"));
    text.lines().map(session).collect()
}

/// What is true of a run, as far as the judge must know.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Sessions at once that each server allows.
    pub(crate) limits: BTreeMap<String, u32>,
    /// The addresses that sessions may come from; empty: they are not known.
    pub(crate) pool: BTreeSet<IpAddr>,
    /// How often each mailbox was asked for.
    pub(crate) asked: BTreeMap<String, u64>,
    /// A closed socket may be noticed so much later by a busy server.
    pub(crate) closing: Duration,
}

/// What the judge found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Sessions that began beyond their server's limit.
    pub(crate) over_limit: u64,
    /// The first of them, in words.
    pub(crate) first_over: Option<String>,
    /// Sessions from addresses outside the pool; none is found where that is not known.
    pub(crate) foreign: u64,
    /// Logins beyond one for each validation and server.
    pub(crate) repeated: u64,
    /// Logins of mailboxes that nobody asked for.
    pub(crate) unasked: u64,
    /// Each server, by its name.
    pub(crate) servers: BTreeMap<String, Peak>,
    /// Sessions by source address, and the most at once.
    pub(crate) sources: BTreeMap<IpAddr, Peak>,
}

/// How many sessions there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Peak {
    pub(crate) total: u64,
    /// The most at once, as the server counted them.
    pub(crate) most: u64,
    /// The same without sessions that had perhaps ended already: `Facts::closing`.
    pub(crate) surely: u64,
}

/// Judges the sessions.
pub(crate) fn judge(mut sessions: Vec<Session>, facts: &Facts) -> Judgement {
    sessions.sort_by_key(|session| session.opened);
    let mut judgement = Judgement::default();
    let closing = u64::try_from(facts.closing.as_micros()).unwrap_or_default();
    let mut at_server: BTreeMap<Arc<str>, Open> = BTreeMap::new();
    let mut from: BTreeMap<IpAddr, Open> = BTreeMap::new();
    let mut logins: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for session in &sessions {
        let open = at_server.entry(Arc::clone(&session.server)).or_default();
        let now = open.enter(session, closing);
        from.entry(session.from).or_default().enter(session, closing);
        let limit = facts.limits.get(&*session.server).map(|limit| u64::from(*limit));
        if limit.is_some_and(|limit| limit < now) {
            judgement.over_limit += 1;
            judgement.first_over.get_or_insert_with(|| {
                format!(
                    "session {now} of {} at {} began at {}",
                    limit.unwrap_or_default(),
                    session.server,
                    session.opened
                )
            });
        }
        let is_ours = facts.pool.is_empty() || facts.pool.contains(&session.from);
        judgement.foreign += u64::from(!is_ours);
        if let Some((user, _)) = &session.login {
            *logins.entry((&session.server, user)).or_default() += 1;
        }
    }
    for ((_, user), count) in logins {
        match facts.asked.get(user) {
            Some(asked) => judgement.repeated += count.saturating_sub(*asked),
            None => judgement.unasked += count,
        }
    }
    judgement.servers =
        at_server.into_iter().map(|(name, open)| (name.to_string(), open.peak)).collect();
    judgement.sources = from.into_iter().map(|(address, open)| (address, open.peak)).collect();
    judgement
}

/// Sessions that are open at one place, while time goes on.
#[derive(Debug, Default)]
struct Open {
    peak: Peak,
    ends: BinaryHeap<Reverse<u64>>,
    /// The same ends, each as early as it may really have been.
    early: BinaryHeap<Reverse<u64>>,
}

impl Open {
    /// Adds a session, and gives how many are surely open with it.
    fn enter(&mut self, session: &Session, closing: u64) -> u64 {
        let early = session.closed.saturating_sub(closing).max(session.opened);
        for (ends, end) in [(&mut self.ends, session.closed), (&mut self.early, early)] {
            while ends.peek().is_some_and(|Reverse(end)| *end <= session.opened) {
                ends.pop();
            }
            ends.push(Reverse(end));
        }
        let count = |ends: &BinaryHeap<_>| u64::try_from(ends.len()).unwrap_or(u64::MAX);
        let surely = count(&self.early);
        self.peak.total += 1;
        self.peak.most = self.peak.most.max(count(&self.ends));
        self.peak.surely = self.peak.surely.max(surely);
        surely
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(opened: u64, closed: u64, from: u8, user: &str) -> Session {
        Session {
            server: "imap:127.10.0.1".into(),
            from: [127, 2, 0, from].into(),
            opened,
            closed,
            login: Some((user.to_owned(), true)),
        }
    }

    fn facts() -> Facts {
        Facts {
            limits: [("imap:127.10.0.1".to_owned(), 2)].into(),
            pool: [IpAddr::from([127, 2, 0, 1]), IpAddr::from([127, 2, 0, 2])].into(),
            asked: [("a".to_owned(), 1), ("b".to_owned(), 1), ("c".to_owned(), 1)].into(),
            closing: Duration::from_micros(10),
        }
    }

    #[test]
    fn a_line_says_everything_about_a_session() {
        let known =
            Session { login: Some(("a,b@x.test".to_owned(), false)), ..session(1, 9, 1, "") };
        for session in [known, Session { login: None, ..session(1, 9, 1, "") }] {
            assert_eq!(Session::parse(&session.line()), Some(session));
        }
        assert_eq!(Session::parse("imap:127.10.0.1,127.2.0.1,1"), None);
    }

    #[test]
    fn what_is_as_it_should_be_is_not_held_against_anybody() {
        // The third begins when the first has ended.
        let calm =
            vec![session(0, 100, 1, "a"), session(50, 150, 2, "b"), session(100, 200, 1, "c")];
        let judgement = judge(calm, &facts());
        let peak = Peak { total: 3, most: 2, surely: 2 };
        assert_eq!(judgement.servers["imap:127.10.0.1"], peak);
        assert_eq!((judgement.over_limit, judgement.foreign, judgement.repeated), (0, 0, 0));
    }

    #[test]
    fn a_session_beyond_the_limit_is_found() {
        let planted =
            vec![session(0, 100, 1, "a"), session(50, 150, 2, "b"), session(80, 200, 1, "c")];
        let judgement = judge(planted, &facts());
        assert_eq!(judgement.over_limit, 1);
        assert_eq!(judgement.servers["imap:127.10.0.1"].surely, 3);
        let told = judgement.first_over.expect("it is told");
        assert_eq!(told, "session 3 of 2 at imap:127.10.0.1 began at 80");
    }

    #[test]
    fn an_end_that_was_noticed_late_is_not_held_against_anybody_but_counted() {
        let late =
            vec![session(0, 100, 1, "a"), session(50, 150, 2, "b"), session(95, 200, 1, "c")];
        let judgement = judge(late, &facts());
        assert_eq!(judgement.over_limit, 0);
        let peak = judgement.servers["imap:127.10.0.1"];
        assert_eq!((peak.most, peak.surely), (3, 2));
    }

    #[test]
    fn foreign_addresses_repeated_and_unasked_logins_are_found() {
        let planted =
            vec![session(0, 10, 9, "a"), session(20, 30, 1, "a"), session(40, 50, 1, "stranger")];
        let judgement = judge(planted, &facts());
        assert_eq!((judgement.foreign, judgement.repeated, judgement.unasked), (1, 1, 1));
    }
}
