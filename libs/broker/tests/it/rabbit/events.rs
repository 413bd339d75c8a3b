//! What other services get: their own queue on the topic exchange, and whole messages in it.

use futures::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use mailfleet_api::notice::to_bytes;
use mailfleet_model::fleet::{
    BatchId, BatchState, BatchTurned, GatewayQueue as _, JobClass, JobEnded, JobState, Notice,
    NoticeId, Subject, Timestamp,
};
use mailfleet_model::{JobId, Verdict};
use uuid::Uuid;

use super::There;
use crate::conformance::{Broker as _, soon};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Another service with a queue of its own.
struct Service {
    _connection: Connection,
    _channel: Channel,
    consumer: Consumer,
}

impl Service {
    async fn bound(broker: &There, keys: &[&str]) -> Self {
        let (connection, channel) = broker.lab.raw().await;
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare("".into(), options, FieldTable::default()).await;
        let queue = declared.expect("a queue").name().clone();
        for key in keys {
            let exchange = format!("{}.v1.events", broker.namespace).into();
            let (key, options) = ((*key).into(), QueueBindOptions::default());
            let bound =
                channel.queue_bind(queue.clone(), exchange, key, options, FieldTable::default());
            bound.await.expect("a binding");
        }
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue, "".into(), options, FieldTable::default());
        let consumer = consumer.await.expect("a consumer");
        Self { _connection: connection, _channel: channel, consumer }
    }

    async fn next(&mut self) -> Delivery {
        let next = soon("an event", self.consumer.next()).await;
        let delivery = next.expect("a live consumer").expect("a delivery");
        delivery.ack(BasicAckOptions::default()).await.expect("an ack");
        delivery
    }
}

fn notice(serial: u64, tenant: &str, subject: Subject) -> Notice {
    Notice {
        id: NoticeId(Uuid::from_u128(serial.into())),
        serial,
        at: Timestamp(1_763_784_000_123_456),
        tenant: tenant.parse().expect("a name"),
        traceparent: Some(TRACEPARENT.to_owned()),
        subject,
    }
}

fn job(state: JobState, verdict: Option<Verdict>) -> Subject {
    let (job, created) = (JobId(Uuid::from_u128(1)), Timestamp(1));
    let class = JobClass::Interactive;
    Subject::Job(JobEnded { job, class, state, verdict, code: None, batch: None, created })
}

fn batch(state: BatchState) -> Subject {
    Subject::Batch(BatchTurned { batch: BatchId(Uuid::from_u128(2)), state, pause: None })
}

#[tokio::test]
async fn services_get_what_they_bound_whole() {
    let Some(broker) = There::start().await else { return };
    let gateway = broker.gateway("gateway").await;
    let mut crm = Service::bound(&broker, &["*.*.crm"]).await;
    let mut faulty = Service::bound(&broker, &["job.faulty.#", "batch.done.#"]).await;
    let done = |verdict| job(JobState::Done, Some(verdict));
    let notices = [
        notice(1, "crm", done(Verdict::Healthy)),
        notice(2, "crm", done(Verdict::Faulty)),
        notice(3, "erp.eu", done(Verdict::Faulty)),
        notice(4, "erp.eu", batch(BatchState::Paused)),
        notice(5, "crm", job(JobState::Cancelled, None)),
        notice(6, "erp.eu", batch(BatchState::Done)),
    ];
    for notice in &notices {
        soon("a confirm", gateway.publish_notice(notice)).await.expect("a confirmed event");
    }
    let mut keys = Vec::new();
    for expect in [1, 2, 5] {
        let delivery = crm.next().await;
        assert_eq!(delivery.data, to_bytes(&notices[expect - 1]));
        keys.push(delivery.routing_key.to_string());
    }
    assert_eq!(keys, ["job.healthy.crm", "job.faulty.crm", "job.cancelled.crm"]);
    keys.clear();
    for expect in [2, 3, 6] {
        let delivery = faulty.next().await;
        assert_eq!(delivery.data, to_bytes(&notices[expect - 1]));
        keys.push(delivery.routing_key.to_string());
        let said = &delivery.properties;
        let text = |value: &Option<lapin::types::ShortString>| value.clone().map(|v| v.to_string());
        assert_eq!(text(said.content_type()).as_deref(), Some("application/x-protobuf"));
        assert_eq!(text(said.kind()).as_deref(), Some("mailfleet.events.v1.Event"));
        let id = notices[expect - 1].id.0.to_string();
        assert_eq!(text(said.message_id()), Some(id));
        assert_eq!((said.delivery_mode(), said.timestamp()), (&Some(2), &Some(1_763_784_000)));
        let header = said.headers().as_ref().and_then(|headers| {
            let value = headers.inner().get("traceparent")?.as_long_string()?;
            Some(value.to_string())
        });
        assert_eq!(header.as_deref(), Some(TRACEPARENT));
    }
    assert_eq!(keys, ["job.faulty.crm", "job.faulty.erp.eu", "batch.done.erp.eu"]);
    drop((gateway, crm, faulty));
    broker.stop().await;
}

#[tokio::test]
async fn an_event_for_nobody_is_no_error() {
    let Some(broker) = There::start().await else { return };
    let gateway = broker.gateway("gateway").await;
    let notice = notice(1, "crm", batch(BatchState::Running));
    soon("a confirm", gateway.publish_notice(&notice)).await.expect("a confirmed event");
    drop(gateway);
    broker.stop().await;
}

#[tokio::test]
async fn an_exchange_that_was_deleted_is_made_anew() {
    let Some(broker) = There::start().await else { return };
    let gateway = broker.gateway("gateway").await;
    let exchange = format!("{}.v1.events", broker.namespace);
    let (_connection, raw) = broker.lab.raw().await;
    let deleted = raw.exchange_delete(exchange.into(), ExchangeDeleteOptions::default());
    deleted.await.expect("a deleted exchange");
    let notice = notice(1, "crm", batch(BatchState::Running));
    let first = soon("an answer", gateway.publish_notice(&notice)).await;
    first.expect_err("there is no exchange, and an event must not be lost");
    let mut service = Service::bound(&broker, &["batch.#"]).await;
    soon("a confirm", gateway.publish_notice(&notice)).await.expect("a confirmed event");
    assert_eq!(service.next().await.data, to_bytes(&notice));
    drop((gateway, service));
    broker.stop().await;
}
