//! Legs on their way to a worker, sealed as a gateway does it.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::order::{LegOrder, Pair};
use mailfleet_mailsim::Running as MailServer;
use mailfleet_model::fleet::{
    Dispatch, GatewayQueue, JobClass, LegId, LegMessage, LoginTag, MailboxTag, Payload, ShardIndex,
    StartRule, StoreWait, shard_of,
};
use mailfleet_model::leg::{IncomingPlan, LegPlan, OutgoingPlan};
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::{
    Credential, EmailAddress, Endpoint, Host, JobId, Login, Protocol, Secret, Security,
};
use mailfleet_vault::{Binding, KeyRing, Purpose};
use uuid::Uuid;

use crate::world::{PASSWORD, SHARDS, World, group, name};

/// A leg to be sent, with everything that a test may want to be otherwise.
pub(crate) struct Sent {
    pub(crate) leg: LegId,
    pub(crate) kind: &'static str,
    pub(crate) group: String,
    pub(crate) pool: &'static str,
    pub(crate) mailbox: &'static str,
    pub(crate) password: &'static str,
    pub(crate) endpoint: Endpoint,
    pub(crate) plan: LegPlan,
    pub(crate) pair: Pair,
    pub(crate) budget: Duration,
    pub(crate) watched: bool,
    pub(crate) credential_version: u64,
}

pub(crate) fn leg_id(job: u32, index: u8) -> LegId {
    LegId { job: JobId(Uuid::from_u128(u128::from(job))), index }
}

pub(crate) fn shard(key: &str) -> ShardIndex {
    shard_of(&group(key).key, SHARDS)
}

/// The group of a simulated server.
pub(crate) fn group_of(server: &MailServer) -> String {
    format!("{}:127.0.0.1", server.protocol())
}

fn endpoint(server: &MailServer) -> Endpoint {
    let protocol = match server.protocol() {
        mailfleet_mailsim::Protocol::Imap => Protocol::Imap,
        mailfleet_mailsim::Protocol::Pop3 => Protocol::Pop3,
        mailfleet_mailsim::Protocol::Smtp => Protocol::Smtp,
    };
    let host = Host::Name("localhost".to_owned());
    Endpoint { protocol, host, port: server.port(), security: Security::Tls }
}

impl Sent {
    /// An incoming leg to a simulated server that opens the mailbox.
    pub(crate) fn to(server: &MailServer, job: u32) -> Self {
        Self {
            leg: leg_id(job, 0),
            kind: "incoming",
            group: group_of(server),
            pool: "default",
            mailbox: "user@example.test",
            password: PASSWORD,
            endpoint: endpoint(server),
            plan: LegPlan::Incoming(IncomingPlan::Open),
            pair: Pair::Alone,
            budget: Duration::from_secs(20),
            watched: false,
            credential_version: 1,
        }
    }

    /// An outgoing leg to a simulated server that tries the envelope.
    pub(crate) fn out(server: &MailServer, job: u32) -> Self {
        let plan = LegPlan::Outgoing(OutgoingPlan::Envelope);
        Self { leg: leg_id(job, 1), kind: "outgoing", plan, ..Self::to(server, job) }
    }

    fn order(&self, keys: &KeyRing) -> LegOrder {
        let tenant = name("crm");
        let mailbox: EmailAddress = self.mailbox.parse().expect("an address");
        let tls = TlsPolicy::default();
        let secret = Secret::new(self.password.as_bytes().to_vec());
        let text = mailbox.to_string();
        let binding = Binding {
            tenant: &tenant,
            mailbox: &text,
            credential_version: 1,
            username: self.mailbox,
            endpoint: &self.endpoint,
            tls: &tls,
            purpose: Purpose::Validation,
        };
        let sealed = keys.public().seal(&Credential::Password(secret), &binding).expect("short");
        LegOrder {
            tenant,
            mailbox,
            endpoint: self.endpoint.clone(),
            username: self.mailbox.to_owned(),
            sealed: sealed.to_bytes(),
            credential_version: self.credential_version,
            tls,
            plan: self.plan.clone(),
            budget: self.budget,
            pair: self.pair,
        }
    }

    fn login_tag(&self, keys: &KeyRing) -> LoginTag {
        let secret = Secret::new(self.password.as_bytes().to_vec());
        let login = Login::new(self.mailbox, Arc::new(Credential::Password(secret)));
        keys.public().login_tag(&login.expect("a login"))
    }

    fn mailbox_tag(&self, keys: &KeyRing) -> MailboxTag {
        keys.public().mailbox_tag(self.mailbox)
    }

    /// The message, with an order changed as told.
    pub(crate) fn changed<H, G: GatewayQueue>(
        &self,
        world: &World<H, G>,
        keys: &KeyRing,
        change: impl FnOnce(&mut LegOrder),
    ) -> LegMessage {
        let mut order = self.order(keys);
        change(&mut order);
        LegMessage {
            leg: self.leg,
            dispatch: Dispatch(1),
            start: StartRule::Free,
            class: JobClass::Interactive,
            kind: name(self.kind),
            group: group(&self.group),
            shard: shard(&self.group),
            pool: name(self.pool),
            mailbox: self.mailbox_tag(&world.keys),
            login: self.login_tag(&world.keys),
            cap: Duration::from_secs(600),
            waited: StoreWait::default(),
            live_to: self.watched.then(|| name("gateway")),
            traceparent: None,
            payload: order.to_payload(),
        }
    }

    pub(crate) fn message<H, G: GatewayQueue>(&self, world: &World<H, G>) -> LegMessage {
        self.changed(world, &world.keys, |_| {})
    }

    /// Publishes the leg.
    pub(crate) async fn send<H, G: GatewayQueue>(&self, world: &World<H, G>) -> LegId {
        world.publish(&self.message(world)).await;
        self.leg
    }

    /// The message with bytes that are no order.
    pub(crate) fn garbled(&self, world: &World) -> LegMessage {
        LegMessage { payload: Payload(vec![0xff; 9]), ..self.message(world) }
    }
}
