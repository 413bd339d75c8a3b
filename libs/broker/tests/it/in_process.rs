//! The broker in this process passes the suite.

use mailfleet_broker::{InProcess, InProcessGateway, InProcessWorker};

use crate::conformance::{self, Broker};
use crate::samples;

struct Here(InProcess);

impl Broker for Here {
    type Gateway = InProcessGateway;
    type Worker = InProcessWorker;

    async fn start() -> Option<Self> {
        Some(Self(InProcess::new(&conformance::topology())))
    }

    async fn stop(self) {}

    async fn gateway(&self, name: &str) -> InProcessGateway {
        self.0.gateway(samples::name(name))
    }

    async fn worker(&self, name: &str) -> InProcessWorker {
        self.0.worker(samples::name(name))
    }
}

conformance::suite!(super::Here);
