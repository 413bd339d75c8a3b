//! Every name on the broker, and how each thing is declared.
//!
//! The only place that knows names. They carry a version: what a queue is declared with
//! cannot change (the broker refuses another declaration with 406), so a change here,
//! lengths included, means `v2` beside `v1` for as long as both run.
//!
//! | name | what |
//! | --- | --- |
//! | `….shard.<zone>.<k>` | legs of a shard: durable, classic, rejects what is too much |
//! | `….news` | what workers tell gateways: the same |
//! | `….dead` | what could not be read: durable, the oldest goes first |
//! | `….live.<gateway>` | live events of one gateway: its own, gone with it |
//! | `….control`, `….tell` | exchanges: to everybody, and to one worker |
//! | `….events` | topic exchange for other services, which bind queues of their own |

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use mailfleet_model::fleet::{
    BatchTurned, GatewayId, JobEnded, Notice, ShardIndex, Subject, ZoneName,
};

use super::trouble::Trouble;
use super::wire::Wire;
use crate::Topology;

/// The version of all names.
const VERSION: &str = "v1";

/// Most dead letters, by number and by bytes.
const DEAD_LENGTH: (i64, i64) = (10_000, 64 * 1024 * 1024);

/// The names of one deployment.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(namespace: &str) -> Self {
        Self { prefix: format!("{namespace}.{VERSION}") }
    }

    pub(super) fn shard(&self, zone: &ZoneName, shard: ShardIndex) -> String {
        format!("{}.shard.{zone}.{shard}", self.prefix)
    }

    pub(super) fn news(&self) -> String {
        format!("{}.news", self.prefix)
    }

    pub(super) fn dead(&self) -> String {
        format!("{}.dead", self.prefix)
    }

    pub(super) fn live(&self, gateway: &GatewayId) -> String {
        format!("{}.live.{gateway}", self.prefix)
    }

    pub(super) fn control(&self) -> String {
        format!("{}.control", self.prefix)
    }

    pub(super) fn tell(&self) -> String {
        format!("{}.tell", self.prefix)
    }

    pub(super) fn events(&self) -> String {
        format!("{}.events", self.prefix)
    }

    /// Declares whatever has to be there before anybody can work. Declaring again changes
    /// nothing.
    pub(super) async fn declare(&self, wire: &Wire, topology: &Topology) -> Result<(), Trouble> {
        self.declare_exchanges(wire).await?;
        let channel = wire.channel().await?;
        declare(wire, &channel, self.dead(), dead_arguments()).await?;
        let news = self.work_arguments(topology.news_length.get());
        declare(wire, &channel, self.news(), news).await?;
        for (zone, shard) in topology.every_shard() {
            let legs = self.work_arguments(topology.shard_length.get());
            declare(wire, &channel, self.shard(zone, shard), legs).await?;
        }
        Ok(())
    }

    /// Declares the exchanges, before somebody binds to them.
    pub(super) async fn declare_exchanges(&self, wire: &Wire) -> Result<(), Trouble> {
        let channel = wire.channel().await?;
        let kinds = [
            (self.control(), ExchangeKind::Fanout),
            (self.tell(), ExchangeKind::Direct),
            (self.events(), ExchangeKind::Topic),
        ];
        for (name, kind) in kinds {
            let options =
                ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            let declared =
                channel.exchange_declare(name.into(), kind, options, FieldTable::default());
            wire.within(declared).await?;
        }
        Ok(())
    }

    /// Declares one shard's queue, after it was found missing.
    pub(super) async fn declare_shard(
        &self,
        wire: &Wire,
        topology: &Topology,
        zone: &ZoneName,
        shard: ShardIndex,
    ) -> Result<(), Trouble> {
        let legs = self.work_arguments(topology.shard_length.get());
        declare(wire, &wire.channel().await?, self.shard(zone, shard), legs).await
    }

    /// Declares the queue of news, after it was found missing.
    pub(super) async fn declare_news(
        &self,
        wire: &Wire,
        topology: &Topology,
    ) -> Result<(), Trouble> {
        let news = self.work_arguments(topology.news_length.get());
        declare(wire, &wire.channel().await?, self.news(), news).await
    }

    fn work_arguments(&self, length: usize) -> FieldTable {
        let mut arguments = classic(length);
        arguments.insert("x-overflow".into(), text("reject-publish"));
        // The exchange without a name: straight to the queue of dead letters.
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(&self.dead()));
        arguments
    }
}

/// What other services bind their queues by: what happened, how, and to whom. The tenant comes
/// last, since its name may hold dots.
pub(super) fn routing_key(notice: &Notice) -> String {
    let (what, how): (&str, &str) = match notice.subject {
        Subject::Job(JobEnded { state, verdict, .. }) => {
            ("job", verdict.map_or_else(|| state.into(), Into::into))
        }
        Subject::Batch(BatchTurned { state, .. }) => ("batch", state.into()),
    };
    format!("{what}.{}.{}", how.to_ascii_lowercase(), notice.tenant)
}

/// For an inbox: the oldest goes when a new one comes.
pub(super) fn inbox_arguments(length: usize) -> FieldTable {
    classic(length)
}

fn dead_arguments() -> FieldTable {
    let (length, bytes) = DEAD_LENGTH;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("classic"));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(length));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes));
    arguments
}

/// Said outright, since a virtual host may have another default.
fn classic(length: usize) -> FieldTable {
    let mut arguments = FieldTable::default();
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    arguments.insert("x-queue-type".into(), text("classic"));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(length));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

async fn declare(
    wire: &Wire,
    channel: &Channel,
    name: String,
    arguments: FieldTable,
) -> Result<(), Trouble> {
    let declared = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments);
    wire.within(declared).await.map(drop)
}
