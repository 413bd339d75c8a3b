//! The legs of a request: endpoints, and the logins that they share or have of their own.

use std::sync::Arc;

use mailfleet_model::{
    Credential, EmailAddress, Endpoint, Host, LegSettings, Login, Protocol, Violations,
};

use crate::{enums, redact, v1};

/// Longest user name, in bytes. Twice the longest address: room for `DOMAIN\user` forms.
const MAX_USERNAME: usize = 512;
/// Longest password, in bytes. Above what any mail server is known to take.
const MAX_PASSWORD: usize = 1024;
/// Longest access token, in bytes. Tokens of large providers reach 4 KiB.
const MAX_TOKEN: usize = 16 * 1024;

/// The legs as they came.
pub(super) struct Entered {
    pub(super) incoming: Vec<v1::LegSettings>,
    pub(super) outgoing: Option<v1::LegSettings>,
    pub(super) shared: v1::Login,
}

/// The legs that are right.
pub(super) struct Legs {
    pub(super) incoming: Vec<LegSettings>,
    pub(super) outgoing: Option<LegSettings>,
    /// Whether an outgoing leg was asked for, right or not.
    pub(super) has_outgoing: bool,
}

/// What a leg falls back on.
struct Shared {
    /// `None` if there is no good one: it is then a violation already.
    username: Option<String>,
    credential: Given,
}

/// A secret as it was given.
enum Given {
    Absent,
    /// Noted as a violation already.
    Bad,
    Good(Arc<Credential>),
}

pub(super) fn parse(
    entered: Entered,
    mailbox: Option<&EmailAddress>,
    bad: &mut Violations,
) -> Legs {
    let shared = shared(entered.shared, mailbox, bad);
    let has_outgoing = entered.outgoing.is_some();
    if entered.incoming.is_empty() && !has_outgoing {
        bad.add("incoming", "is required where there is no outgoing leg");
    }
    let mut incoming: Vec<LegSettings> = Vec::new();
    let mut seen = Vec::new();
    for (index, settings) in entered.incoming.into_iter().enumerate() {
        let path = format!("incoming[{index}]");
        let protocol = settings.endpoint.as_ref().map(|endpoint| endpoint.protocol);
        if protocol.is_some_and(|protocol| seen.contains(&protocol)) {
            bad.add(format!("{path}.endpoint.protocol"), "is given to an earlier leg");
            continue;
        }
        seen.extend(protocol);
        let allowed = [Protocol::Imap, Protocol::Pop3];
        incoming.extend(leg(settings, &path, &allowed, &shared, bad));
    }
    let outgoing = entered
        .outgoing
        .and_then(|settings| leg(settings, "outgoing", &[Protocol::Smtp], &shared, bad));
    Legs { incoming, outgoing, has_outgoing }
}

fn shared(login: v1::Login, mailbox: Option<&EmailAddress>, bad: &mut Violations) -> Shared {
    let username = if login.username.is_empty() {
        mailbox.map(ToString::to_string)
    } else {
        username(login.username, "login", bad)
    };
    Shared { username, credential: credential(login.credential, "login", bad) }
}

fn leg(
    settings: v1::LegSettings,
    path: &str,
    allowed: &[Protocol],
    shared: &Shared,
    bad: &mut Violations,
) -> Option<LegSettings> {
    let endpoint = match settings.endpoint {
        Some(entered) => endpoint(&entered, &format!("{path}.endpoint"), allowed, bad),
        None => {
            bad.add(format!("{path}.endpoint"), "is required");
            None
        }
    };
    let own = settings.login.unwrap_or_default();
    let login_path = format!("{path}.login");
    let username = if own.username.is_empty() {
        shared.username.clone()
    } else {
        username(own.username, &login_path, bad)
    };
    let credential = match (credential(own.credential, &login_path, bad), &shared.credential) {
        (Given::Good(own), _) => Some(own),
        (Given::Absent, Given::Good(shared)) => Some(Arc::clone(shared)),
        (Given::Bad, _) | (Given::Absent, Given::Bad) => None,
        (Given::Absent, Given::Absent) => {
            bad.add(format!("{login_path}.credential"), "is required: a password or a token");
            None
        }
    };
    Some(LegSettings { endpoint: endpoint?, login: Login::new(&username?, credential?)? })
}

fn endpoint(
    entered: &v1::Endpoint,
    path: &str,
    allowed: &[Protocol],
    bad: &mut Violations,
) -> Option<Endpoint> {
    let protocol = enums::known::<Protocol>(entered.protocol).filter(|p| allowed.contains(p));
    if protocol.is_none() {
        let names: Vec<&str> = allowed.iter().map(|protocol| protocol.into()).collect();
        bad.add(format!("{path}.protocol"), format_args!("is not {}", names.join(" or ")));
    }
    let host = bad.check(&format!("{path}.host"), entered.host.parse::<Host>());
    let port = u16::try_from(entered.port);
    if port.is_err() {
        bad.add(format!("{path}.port"), "is not from 1 to 65535");
    }
    let security = enums::known(entered.security);
    if entered.security != 0 && security.is_none() {
        bad.add(format!("{path}.security"), "is not one of TLS, STARTTLS, PLAIN");
    }
    let port = port.ok().filter(|port| *port != 0);
    Some(Endpoint::with_defaults(protocol?, host?, port, security))
}

fn username(text: String, path: &str, bad: &mut Violations) -> Option<String> {
    let problem = if text.len() > MAX_USERNAME {
        "is longer than 512 bytes"
    } else if text.chars().any(char::is_control) {
        "contains a control character"
    } else {
        return Some(text);
    };
    bad.add(format!("{path}.username"), problem);
    None
}

fn credential(entered: Option<v1::login::Credential>, path: &str, bad: &mut Violations) -> Given {
    let Some(entered) = entered else { return Given::Absent };
    let credential = redact::take(entered);
    let bytes = credential.secret().expose();
    let (field, problem) = match &credential {
        Credential::Password(_) => ("password", password_problem(bytes)),
        Credential::AccessToken(_) => ("access_token", token_problem(bytes)),
    };
    match problem {
        None => Given::Good(Arc::new(credential)),
        Some(problem) => {
            bad.add(format!("{path}.{field}"), problem);
            Given::Bad
        }
    }
}

/// Bytes above 127 are as good as any; control characters cannot be sent by every mechanism
/// and are how a command is smuggled into a dialogue.
fn password_problem(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [] => Some("is empty"),
        bytes if bytes.len() > MAX_PASSWORD => Some("is longer than 1024 bytes"),
        bytes if bytes.iter().any(u8::is_ascii_control) => Some("contains a control character"),
        _ => None,
    }
}

/// RFC 6750 section 2.1 allows less; all of it is printable ASCII.
fn token_problem(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [] => Some("is empty"),
        bytes if bytes.len() > MAX_TOKEN => Some("is longer than 16384 characters"),
        bytes if !bytes.iter().all(u8::is_ascii_graphic) => {
            Some("contains something else than printable ASCII characters")
        }
        _ => None,
    }
}
