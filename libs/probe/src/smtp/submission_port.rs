//! Finds the port that takes logins, for a leg whose port takes none.
//!
//! Asks 587 and 465 of the same address on sockets of its own, after the leg's
//! connection is closed. Never sends a credential, and never judges: what it does not
//! reach is not suggested. RFC 8314 section 3.3.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::{Endpoint, LegSpec, Protocol, Security, Suggestion};
use tokio::time::timeout;

use super::capability::Capabilities;
use super::wire::Connection;
use crate::dial::Route;
use crate::leg::{Probe, Scope};
use crate::stream::MailStream;
use crate::tls::{self, Handshake, Wanted};

/// Time for both ports together.
const PATIENCE: Duration = Duration::from_secs(8);
/// Time to connect to one of them.
const CONNECT: Duration = Duration::from_secs(3);

/// Suggests the submission ports that offer a login.
pub(super) async fn suggest(scope: &mut Scope<'_>, route: &Route) {
    let patience = PATIENCE.min(scope.recorder.remaining() / 2);
    let mut found = Vec::new();
    let search = async {
        for security in [Security::Starttls, Security::Tls] {
            let port = Protocol::Smtp.default_port(security);
            let endpoint = Endpoint { port, security, ..scope.spec.endpoint.clone() };
            if endpoint.port != scope.spec.endpoint.port
                && offers_login(scope.probe, scope.spec, &endpoint, route).await.is_some()
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
async fn offers_login(
    probe: &Probe,
    spec: &LegSpec,
    endpoint: &Endpoint,
    route: &Route,
) -> Option<()> {
    let ip = route.address.ip();
    probe.targets.select(&[ip], endpoint.port)?;
    let address = SocketAddr::new(ip, endpoint.port);
    let socket = route.to(address).redial(CONNECT).await.ok()?;
    let wanted =
        Wanted { host: &endpoint.host, policy: &spec.tls, leg: spec.leg(), now: SystemTime::now() };
    let mut connection = match endpoint.security {
        Security::Tls => match tls::handshake(&probe.trust, &wanted, socket).await {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailfleet_mailsim::{Authority, Role, Server, Tls};
    use mailfleet_model::leg::{LegPlan, OutgoingPlan};
    use mailfleet_model::tls::TlsPolicy;
    use mailfleet_model::{Credential, Login, Secret};

    use super::*;
    use crate::leg::{CourierRule, Identity, Rules};
    use crate::limits::Limits;
    use crate::resolve::Resolver;
    use crate::target::TargetPolicy;
    use crate::tls::Trust;

    fn probe() -> Probe {
        let root = Authority::shared().expect("an authority").root_der();
        Probe {
            resolver: Resolver::fixed([]),
            targets: TargetPolicy::with_exceptions(vec!["127.0.0.0/8".parse().expect("a net")]),
            trust: Trust::only([root]).expect("roots"),
            limits: Limits::default(),
            identity: Identity::default(),
            rules: Rules { courier: CourierRule::Refuse },
        }
    }

    async fn offered(server: Server, security: Security) -> bool {
        let server = server.mailbox("a@b.test", "secret").start().await.expect("a server");
        let endpoint = Endpoint {
            protocol: Protocol::Smtp,
            host: "localhost".parse().expect("a host"),
            port: server.port(),
            security,
        };
        let credential = Arc::new(Credential::Password(Secret::new(b"secret".to_vec())));
        let spec = LegSpec {
            mailbox: "a@b.test".parse().expect("an address"),
            endpoint: endpoint.clone(),
            login: Login::new("a@b.test", credential).expect("a login"),
            tls: TlsPolicy::default(),
            plan: LegPlan::Outgoing(OutgoingPlan::LoginOnly),
        };
        let route = Route { address: server.addr(), egress: None };
        let found = offers_login(&probe(), &spec, &endpoint, &route).await.is_some();
        assert_eq!(server.recorder().credentials(), 0, "none is ever sent");
        found
    }

    #[tokio::test]
    async fn only_ports_that_take_logins_are_found() {
        assert!(offered(Server::smtp(), Security::Tls).await);
        assert!(offered(Server::smtp().tls(Tls::Starttls), Security::Starttls).await);
        let relay = Server::smtp().role(Role::Relay).tls(Tls::None);
        assert!(!offered(relay, Security::Starttls).await);
        assert!(!offered(Server::smtp().tls(Tls::None), Security::Tls).await);
        assert!(!offered(Server::pop3().tls(Tls::None), Security::Starttls).await);
    }
}
