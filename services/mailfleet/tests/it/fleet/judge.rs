//! The judge: reads what the caller wrote down and what the mail servers recorded, after
//! everything has ended, and knows nothing of how the fleet works.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_mailsim::{Event, Running, What};

use super::client::{Outcome, now_us};
use super::ground::Ground;
use super::mail::{Mail, group};
use super::process::eventually;

/// A socket that was closed at one end is closed at the other after so long at most, as far
/// as a busy machine's mail server notices it.
const CLOSING: Duration = Duration::from_millis(150);
/// How long a changed limit may take to hold, when no message about it is lost.
const CHANGING: Duration = Duration::from_millis(1_500);

/// What a test did to the fleet, as far as it excuses something.
#[derive(Debug, Clone)]
pub(crate) struct Excuses {
    /// Whether something crashed or was cut off, so that what ran may run once more.
    pub(crate) crashed: bool,
    /// Whether workers could not hear each other for longer than a leg waits for the other one,
    /// so that both may try the same password.
    pub(crate) deaf: bool,
    /// Whether right passwords may get no clear answer, since work was lost until the
    /// deadline.
    pub(crate) inconclusive: bool,
    /// Limits that were set while it ran: the group, when in microseconds, and the limit.
    pub(crate) limits: Vec<(String, u64, u32)>,
}

impl Excuses {
    /// Nothing is excused.
    pub(crate) const NONE: Self = Self::of(false, false);
    /// Something crashed or was cut off.
    pub(crate) const CRASHED: Self = Self::of(true, false);
    /// Workers could not hear each other.
    pub(crate) const DEAF: Self = Self::of(false, true);

    const fn of(crashed: bool, deaf: bool) -> Self {
        Self { crashed, deaf, inconclusive: false, limits: Vec::new() }
    }
}

/// What was found beside violations.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Jobs by how they ended.
    pub(crate) endings: BTreeMap<&'static str, usize>,
    /// The most sessions at once of any server.
    pub(crate) peak: u32,
    /// Logins beyond one for each mailbox and server.
    pub(crate) repeated: usize,
}

/// A session at a mail server.
#[derive(Debug, Clone)]
struct Session {
    from: IpAddr,
    user: Option<String>,
    refused: u32,
    opened: u64,
    /// When it was over, as far as the client is concerned; `None`: it is open.
    closed: Option<u64>,
}

/// Judges; panics with everything that is wrong.
pub(crate) fn judge(
    what: &str,
    ground: &Ground,
    outcomes: &[Outcome],
    excuses: &Excuses,
) -> Findings {
    let mut wrong = Vec::new();
    let mut findings = Findings::default();
    for outcome in outcomes {
        judge_job(outcome, excuses, &mut findings, &mut wrong);
    }
    let mut sessions: Vec<(String, Vec<Session>)> = Vec::new();
    for server in ground.mail.servers() {
        sessions.push((group(server), read(server)));
    }
    for (group, sessions) in &sessions {
        let peak = judge_limit(group, sessions, ground.size.limit, excuses, &mut wrong);
        findings.peak = findings.peak.max(peak);
    }
    judge_mailboxes(outcomes, &sessions, excuses, &mut findings, &mut wrong);
    eprintln!("{what}: {findings:?}");
    wrong.sort();
    assert!(wrong.is_empty(), "{what}: {} violations\n{}", wrong.len(), wrong.join("\n"));
    findings
}

/// Ended once, and the same everywhere; with the verdict that the mailbox deserves.
fn judge_job(
    outcome: &Outcome,
    excuses: &Excuses,
    findings: &mut Findings,
    wrong: &mut Vec<String>,
) {
    let Outcome { order, job, cancelled, first, last } = outcome;
    let mut is_wrong = |what: &str| wrong.push(format!("{job} of {}: {what}", order.mailbox));
    let Some(first) = first else { return is_wrong("was lost") };
    let Some(report) = &first.report else { return is_wrong("ended without a report") };
    if last.iter().any(|job| (job.state, &job.report) != (first.state, &first.report)) {
        is_wrong("a gateway shows another report, or it changed");
    }
    let ending = match first.state() {
        v1::job::State::Cancelled => "cancelled",
        v1::job::State::Done => report.verdict().as_str_name(),
        v1::job::State::Open | v1::job::State::Unspecified => "not ended",
    };
    *findings.endings.entry(ending).or_default() += 1;
    let expected = match (cancelled, order.is_right) {
        (Some(_), _) => "cancelled",
        (None, true) => "HEALTHY",
        (None, false) => "FAULTY",
    };
    if ending != expected && !(excuses.inconclusive && ending == "INCONCLUSIVE") {
        let codes: Vec<&str> = report.faults.iter().map(|f| f.code().as_str_name()).collect();
        is_wrong(&format!("{ending} and not {expected}: {codes:?}"));
    }
}

/// No session began while the group was at its limit.
fn judge_limit(
    group: &str,
    sessions: &[Session],
    usual: u32,
    excuses: &Excuses,
    wrong: &mut Vec<String>,
) -> u32 {
    let mut peak = 0;
    for session in sessions {
        let now = session.opened;
        let n_open = open_at(sessions, now);
        peak = peak.max(n_open);
        let limit = limit_at(group, now, usual, excuses);
        if limit < n_open {
            wrong.push(format!("{group}: session {n_open} of {limit} began at {now}"));
        }
    }
    peak
}

fn open_at(sessions: &[Session], now: u64) -> u32 {
    let is_open =
        |other: &&Session| other.opened <= now && other.closed.is_none_or(|closed| now < closed);
    u32::try_from(sessions.iter().filter(is_open).count()).expect("a few")
}

/// The highest limit that may hold at a time.
fn limit_at(group: &str, now: u64, usual: u32, excuses: &Excuses) -> u32 {
    let late = us(CHANGING);
    let mut held = usual;
    let mut highest = None;
    for (_, at, limit) in excuses.limits.iter().filter(|(of, ..)| of == group) {
        if now < *at {
            break;
        }
        if now < at + late {
            highest = highest.max(Some(held));
        }
        held = *limit;
    }
    highest.max(Some(held)).expect("some")
}

/// Each mailbox from one address of its pool; no refused password again; nothing after the end
/// of a cancelled job.
fn judge_mailboxes(
    outcomes: &[Outcome],
    sessions: &[(String, Vec<Session>)],
    excuses: &Excuses,
    findings: &mut Findings,
    wrong: &mut Vec<String>,
) {
    let by_user: BTreeMap<&str, &Outcome> =
        outcomes.iter().map(|outcome| (outcome.order.mailbox.as_str(), outcome)).collect();
    let pools: BTreeSet<IpAddr> =
        outcomes.iter().flat_map(|outcome| outcome.order.tenant.addresses()).collect();
    let mut addresses: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut refused: BTreeMap<&str, u32> = BTreeMap::new();
    for (group, sessions) in sessions {
        let mut users: BTreeSet<&str> = BTreeSet::new();
        for session in sessions {
            if !pools.contains(&session.from) {
                wrong.push(format!("{group}: a session came from {}", session.from));
            }
            let Some(user) = &session.user else { continue };
            findings.repeated += usize::from(!users.insert(user));
            addresses.entry(user).or_default().insert(session.from);
            *refused.entry(user).or_default() += session.refused;
            let Some(outcome) = by_user.get(user.as_str()) else {
                wrong.push(format!("{group}: nobody asked for {user}"));
                continue;
            };
            let ended = outcome.cancelled.map(|at| at + us(Duration::from_secs(2)));
            if ended.is_some_and(|ended| ended < session.opened) {
                wrong.push(format!("{group}: {user} was checked after it was cancelled"));
            }
        }
    }
    for (user, from) in addresses {
        let pool = by_user.get(user).map(|outcome| outcome.order.tenant.addresses());
        let is_ours = |ip| pool.as_ref().is_some_and(|pool| pool.contains(ip));
        if from.len() != 1 || !from.iter().all(is_ours) {
            wrong.push(format!("{user} was checked from {from:?}"));
        }
    }
    for (user, n_refused) in refused {
        let most = by_user.get(user).map_or(0, |outcome| most_refusals(outcome, excuses));
        if most < n_refused {
            wrong.push(format!("the password of {user} was refused {n_refused} times, not {most}"));
        }
    }
}

/// How often a password may be refused: once for good, and before it by servers whose refusal
/// can mean something else.
fn most_refusals(outcome: &Outcome, excuses: &Excuses) -> u32 {
    use v1::leg_report::Login;
    let report = outcome.first.as_ref().and_then(|job| job.report.as_ref());
    let logins = report.map(|report| report.legs.iter().map(|leg| leg.login())).into_iter();
    let logins: Vec<Login> = logins.flatten().collect();
    let ambiguous = logins.iter().filter(|login| **login == Login::RefusedAmbiguously).count();
    let definitive = u32::from(logins.contains(&Login::RefusedDefinitively));
    // A crash may repeat each leg that runs once, and the two legs of a mailbox may run at two
    // workers that are lost at the same moment.
    let n_legs = u32::try_from(logins.len()).expect("a few");
    let again = match (excuses.crashed, excuses.deaf) {
        (true, _) => n_legs,
        // Legs that do not hear each other try once each.
        (false, true) => n_legs.saturating_sub(1),
        (false, false) => 0,
    };
    if outcome.cancelled.is_some() {
        // Nobody waited for what the mail servers answered: once each.
        return u32::try_from(logins.len()).expect("a few") + again;
    }
    u32::try_from(ambiguous).expect("a few") + definitive + again
}

/// The sessions of a server.
fn read(server: &Running) -> Vec<Session> {
    let mut sessions: BTreeMap<u64, Session> = BTreeMap::new();
    for Event { session, peer, at_us, what, .. } in Mail::events(server) {
        let entry = sessions.entry(session).or_insert(Session {
            from: peer.ip(),
            user: None,
            refused: 0,
            opened: at_us,
            closed: None,
        });
        match what {
            What::Credential { user, right, .. } => {
                entry.refused += u32::from(!right);
                entry.user = Some(user);
            }
            What::Closed { .. } => {
                entry.closed = Some(at_us.saturating_sub(us(CLOSING)).max(entry.opened));
            }
            What::Opened { .. }
            | What::Secured { .. }
            | What::Command { .. }
            | What::Fault { .. }
            | What::Mail { .. } => {}
        }
    }
    sessions.into_values().collect()
}

/// Waits until each of these servers has seen a session that began after `since`, and prints how
/// long that took.
pub(crate) async fn takeover(
    what: &str,
    ground: &Ground,
    servers: &[String],
    since: u64,
    limit: Duration,
) {
    let began = Duration::from_micros(now_us().saturating_sub(since));
    for key in servers {
        let told = format!("{what}: {key} is served again ({})", ground.lab.namespace);
        let is_served = || async { first_session(ground, key, since).is_some() };
        eventually(&told, limit.saturating_sub(began), is_served).await;
    }
    let after: Vec<Duration> =
        servers.iter().filter_map(|key| first_session(ground, key, since)).collect();
    eprintln!("{what}: {} servers served again after {after:.1?}", servers.len());
}

/// Whether every session of these servers that had begun by then is over.
pub(crate) fn sessions_over(ground: &Ground, servers: &[String], then: u64) -> bool {
    let ours = ground.mail.servers().filter(|server| servers.contains(&group(server)));
    ours.flat_map(read).all(|session| then <= session.opened || session.closed.is_some())
}

/// The most sessions that a server had at once from these addresses.
pub(crate) fn peak_from(server: &Running, addresses: &[IpAddr]) -> u32 {
    let mut sessions = read(server);
    sessions.retain(|session| addresses.contains(&session.from));
    sessions.iter().map(|session| open_at(&sessions, session.opened)).max().unwrap_or_default()
}

/// The most sessions that a server had at once when one began in this time.
pub(crate) fn peak_between(ground: &Ground, key: &str, from: u64, until: u64) -> u32 {
    let server = ground.mail.servers().find(|server| group(server) == key).expect("a server");
    let sessions = read(server);
    let began = sessions.iter().filter(|session| (from..until).contains(&session.opened));
    began.map(|session| open_at(&sessions, session.opened)).max().unwrap_or_default()
}

fn first_session(ground: &Ground, key: &str, since: u64) -> Option<Duration> {
    let server = ground.mail.servers().find(|server| group(server) == key)?;
    let later = |event: &&Event| since < event.at_us && matches!(event.what, What::Opened { .. });
    let first = Mail::events(server).iter().find(later).map(|event| event.at_us)?;
    Some(Duration::from_micros(first - since))
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("a short time")
}
