//! The silence of a stream, measured on a clock that the test moves.

use std::time::SystemTime;

use futures::StreamExt as _;
use mailfleet_broker::{InProcess, InProcessGateway, Topology};
use mailfleet_engine::Rules;
use mailfleet_model::fleet::{Admission, JobClass, JobDraft, Store as _};
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_store::{Config as StoreConfig, Defaults, SqliteStore};
use mailfleet_vault::{KeyRing, PublicRing};

use super::*;
use crate::fixtures;
use crate::{Config, Parts, Running, TenantQuota, Tenants};

async fn gateway() -> Running<SqliteStore, InProcessGateway> {
    let config = Config::default();
    let store = StoreConfig::new(Defaults::all(config.limits));
    let store = SqliteStore::open(":memory:", store).await.expect("it opens");
    let id: mailfleet_model::fleet::GatewayId = "g".parse().expect("a name");
    let hub = InProcess::new(&Topology::new(vec![config.zone.clone()]));
    let keys = KeyRing::generate(SystemTime::UNIX_EPOCH);
    let parts = Parts {
        id: id.clone(),
        store: Arc::new(store),
        queue: Arc::new(hub.gateway(id)),
        ring: Arc::new(PublicRing::parse(&keys.public().to_text()).expect("our own text")),
        zone_rings: std::collections::BTreeMap::new(),
        resolver: Resolver::fixed([]),
        targets: TargetPolicy::default(),
        tenants: Tenants::local(TenantQuota::default()),
        rules: Rules::default(),
    };
    Gateway::start(parts, config)
}

/// A job whose leg waits behind another one for as long as the test lasts.
async fn waiting_job(gateway: &Gateway<SqliteStore, InProcessGateway>, caller: &Caller) {
    let record = fixtures::job();
    let leg = fixtures::leg(2);
    let draft = JobDraft {
        id: record.id,
        tenant: caller.tenant.name.clone(),
        class: JobClass::Interactive,
        batch: None,
        request: None,
        settings: None,
        deadline: Duration::from_secs(3_600),
        live_to: None,
        traceparent: None,
        payload: record.payload,
        legs: vec![mailfleet_model::fleet::LegDraft {
            kind: leg.kind,
            gate: mailfleet_model::fleet::Gate::AfterLeg(0),
            group: leg.group,
            shard: leg.shard,
            pool: leg.pool,
            mailbox: leg.mailbox,
            login: leg.login,
            cap: leg.cap,
            payload: leg.payload,
        }],
    };
    let accept = |_: &_| Admission::Accept { at_once: Vec::new() };
    let stored = gateway.store.submit(&draft, accept).await.expect("it is stored");
    assert!(matches!(stored.admission, Admission::Accept { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_stream_where_nothing_happens_beats_every_fifteen_seconds() {
    let running = gateway().await;
    let gateway = running.gateway();
    let caller = gateway.tenants.caller(None).expect("everybody");
    waiting_job(gateway, &caller).await;
    let job = fixtures::job().id;
    let watch = gateway.watchers.watch(job);
    let mut stream = start(gateway, caller, watch, None, None);
    let first = stream.next().await.expect("a message").expect("no error");
    assert!(first.job.is_some(), "how it is");
    for _ in 0..3 {
        let began = Instant::now();
        let beat = stream.next().await.expect("a message").expect("no error");
        assert!(beat.job.is_none(), "nothing has changed: {beat:?}");
        let silence = began.elapsed();
        assert!(silence.abs_diff(HEARTBEAT) < Duration::from_millis(200), "{silence:?}");
    }
    gateway.draining.cancel();
    let last = stream.next().await.expect("a message").expect_err("the gateway ends");
    assert_eq!(last.code(), tonic::Code::Unavailable);
    assert!(stream.next().await.is_none());
}
