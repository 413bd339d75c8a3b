//! Counters of trouble begin at zero: an alert cannot see a rise from nothing to one.

use mailfleet_model::fleet::ReturnReason;
use mailfleet_model::{FaultCode, Protocol};
use opentelemetry::KeyValue;

use super::instruments::of;
use super::messaging::Queue;

/// Codes that are our own doing, whatever the mailbox is like.
const OURS: [FaultCode; 3] =
    [FaultCode::EgressPoolEmpty, FaultCode::CredentialUnsealFailed, FaultCode::WorkerLost];

/// Begins them.
pub(crate) fn begin() {
    let instruments = of();
    instruments.duplicates.add(0, &[]);
    instruments.events_lost.add(0, &[]);
    instruments.fence_trips.add(0, &[]);
    instruments.blocked_duration.add(0.0, &[]);
    for queue in [Queue::Shard, Queue::News] {
        let label = KeyValue::new("messaging.destination.template", queue.template());
        instruments.dead_letters.add(0, &[label]);
    }
    for why in ["unknown_key", "wrong_use", "damaged"] {
        instruments.unseal_failures.add(0, &[KeyValue::new("mailfleet.reason", why)]);
    }
    for reason in [ReturnReason::Redelivered, ReturnReason::Breaker, ReturnReason::Busy] {
        let reason: &'static str = reason.into();
        instruments.returned.add(0, &[KeyValue::new("mailfleet.reason", reason)]);
    }
    for protocol in [Protocol::Imap, Protocol::Pop3, Protocol::Smtp] {
        let protocol: &'static str = protocol.into();
        for code in OURS {
            let code = KeyValue::new("mailfleet.fault.code", code.name());
            instruments.faults.add(0, &[KeyValue::new("mailfleet.protocol", protocol), code]);
        }
    }
}
