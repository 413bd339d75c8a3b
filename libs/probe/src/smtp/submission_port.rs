//! Finds the port that takes logins, for a leg whose port takes none.
//!
//! Asks 587 and 465 of the same address on sockets of its own, after the leg's
//! connection is closed. Never sends a credential, and never judges: what it does not
//! reach is not suggested. RFC 8314 section 3.3.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::{Endpoint, Protocol, Security, Suggestion};
use tokio::time::timeout;

use super::capability::Capabilities;
use super::wire::Connection;
use crate::dial::Route;
use crate::leg::Scope;
use crate::stream::MailStream;
use crate::tls::{self, Handshake, Wanted};

/// Time for both ports together.
const PATIENCE: Duration = Duration::from_secs(8);
/// Time to connect to one of them.
const CONNECT: Duration = Duration::from_secs(3);

/// Suggests the submission ports that offer a login.
pub(super) async fn suggest(scope: &mut Scope<'_>, route: Route) {
    let patience = PATIENCE.min(scope.recorder.remaining() / 2);
    let mut found = Vec::new();
    let search = async {
        for security in [Security::Starttls, Security::Tls] {
            let port = Protocol::Smtp.default_port(security);
            let endpoint = Endpoint { port, security, ..scope.spec.endpoint.clone() };
            if endpoint.port != scope.spec.endpoint.port
                && offers_login(scope, &endpoint, route).await.is_some()
            {
                found.push(suggestion(scope, endpoint));
            }
        }
    };
    // Running out of time or being cancelled only means fewer suggestions.
    tokio::select! {
        biased;
        _ = timeout(patience, search) => {}
        () = scope.recorder.cancel_token().cancelled() => {}
    }
    scope.recorder.suggest(found);
}

/// `Some` if a login is offered there.
async fn offers_login(scope: &Scope<'_>, endpoint: &Endpoint, route: Route) -> Option<()> {
    let ip = route.address.ip();
    scope.probe.targets.select(&[ip], endpoint.port)?;
    let address = SocketAddr::new(ip, endpoint.port);
    let socket = Route { address, ..route }.redial(CONNECT).await.ok()?;
    let wanted = Wanted {
        host: &endpoint.host,
        policy: &scope.spec.tls,
        leg: scope.recorder.leg(),
        now: SystemTime::now(),
    };
    let mut connection = match endpoint.security {
        Security::Tls => match tls::handshake(&scope.probe.trust, &wanted, socket).await {
            Handshake::Established { stream, .. } => Connection::new(MailStream::tls(stream)),
            Handshake::Rejected { .. } | Handshake::Failed(_) => return None,
        },
        Security::Starttls | Security::Plain => Connection::new(MailStream::plain(socket)),
    };
    connection.read().await.ok().filter(|reply| reply.code == 220)?;
    let reply = connection.command(b"EHLO [127.0.0.1]").await.ok()?;
    let offered = Capabilities::parse(&reply.lines);
    // Many servers show their logins inside TLS only; a submission port with STARTTLS
    // has some.
    let login = !offered.offer.is_empty()
        || (endpoint.security == Security::Starttls && offered.has("STARTTLS"));
    let _ = connection.command(b"QUIT").await;
    (reply.is_success() && login).then_some(())
}

fn suggestion(scope: &Scope<'_>, endpoint: Endpoint) -> Suggestion {
    Suggestion {
        leg: scope.recorder.leg(),
        endpoint: Some(endpoint),
        reason: SuggestionReason::SubmissionPort,
        proof: SuggestionProof::Probed,
        help_url: None,
    }
}
