//! How faults strike and heal.

use mailfleet_engine::worker::Event;
use mailfleet_model::fleet::Control;

use super::event::{ForGateway, ForWorker, Scheduled};
use super::gateway::Gateway;
use super::history::{Fault, What};
use super::world::{World, group_in, limits, millis};

impl World {
    pub(crate) fn strike(&mut self, index: usize) {
        let Fault { what, lasts, .. } = self.history.faults[index];
        let lasts = millis(lasts);
        self.later(lasts, Scheduled::Heal(index));
        match what {
            What::KillWorker(worker) => self.kill_worker(worker, lasts),
            What::DrainWorker(worker) => self.drain_worker(worker),
            What::FreezeWorker(worker) => {
                if self.workers[worker].frozen.is_none() {
                    self.workers[worker].frozen = Some((self.now, self.now + lasts));
                    self.begin_silence(worker);
                }
            }
            What::CutToBroker(worker) => self.cut(worker, true, false),
            What::CutFromBroker(worker) => self.cut(worker, false, true),
            What::CutBoth(worker) => self.cut(worker, true, true),
            What::DropConnection(worker) => self.drop_connection(worker),
            What::KillGateway(gateway) => {
                self.gateways[gateway].alive = false;
                self.requeue_news(gateway);
            }
            What::FreezeGateway(gateway) => {
                if self.gateways[gateway].frozen.is_none() {
                    self.gateways[gateway].frozen = Some(self.now + lasts);
                    self.gateways[gateway].frozen_since = Some(self.now);
                    let silent = super::event::ForBroker::GatewaySilent(gateway, self.now);
                    self.later(millis(25_000), Scheduled::Broker(silent));
                }
            }
            What::RestartBroker => self.broker_stops(),
            What::Alarm => self.broker.alarm = true,
            What::DeleteQueue(shard) => self.delete_queue(shard),
            What::LoseConfirms => self.lose_confirms = true,
            What::LoseControl => self.lose_control = true,
            What::StoreDown => self.store_down = true,
            What::ClockJump(seconds) => {
                self.clock_jump += seconds;
                self.store.now = self.store_time();
            }
            What::ServerDown(group) => self.mail.down[group] = true,
            What::Limit(index, limit) => {
                let zones = 0..self.history.zones;
                let set =
                    zones.map(|zone| self.store.set_group(&group_in(zone, index), limits(limit)));
                let set = set.collect::<Vec<_>>();
                self.mail.set_limit(index, limit, self.now);
                let parts = set.into_iter().map(|settings| self.part(settings)).collect();
                self.broadcast(None, &Control::Settings(parts));
            }
            What::Duplicate => self.duplicate(),
        }
    }

    pub(crate) fn heal(&mut self, index: usize) {
        self.faults_left -= 1;
        match self.history.faults[index].what {
            What::FreezeWorker(worker) => {
                let worker = &mut self.workers[worker];
                if let Some(frozen) = worker.frozen.filter(|(_, thaw)| *thaw <= self.now) {
                    worker.frozen = None;
                    worker.thawed = Some(frozen);
                }
            }
            What::CutToBroker(worker) | What::CutFromBroker(worker) | What::CutBoth(worker) => {
                self.cut_heals(worker);
            }
            What::KillGateway(index) => {
                if !self.gateways[index].alive {
                    let (run, epoch) = (self.gateways[index].run, self.gateways[index].epoch);
                    self.gateways[index] = Gateway::new(&self.rules.hold, self.monotonic());
                    (self.gateways[index].run, self.gateways[index].epoch) = (run + 1, epoch + 1);
                    self.gateway_later(index, millis(10), ForGateway::Tick);
                    self.deliver_news();
                }
            }
            What::FreezeGateway(gateway) => {
                let gateway = &mut self.gateways[gateway];
                if gateway.frozen.is_some_and(|thaw| thaw <= self.now) {
                    (gateway.frozen, gateway.frozen_since) = (None, None);
                }
            }
            What::RestartBroker => self.broker_starts(),
            What::Alarm => self.alarm_ends(),
            What::LoseConfirms => self.lose_confirms = false,
            What::LoseControl => self.lose_control = false,
            What::StoreDown => self.store_down = false,
            What::ServerDown(group) => self.mail.down[group] = false,
            What::KillWorker(_)
            | What::DrainWorker(_)
            | What::DropConnection(_)
            | What::DeleteQueue(_)
            | What::ClockJump(_)
            | What::Limit(..)
            | What::Duplicate => {}
        }
    }

    fn cut(&mut self, index: usize, to: bool, from: bool) {
        let worker = &mut self.workers[index];
        if worker.cut_since.is_some() {
            return;
        }
        (worker.cut_to, worker.cut_from, worker.cut_since) = (to, from, Some(self.now));
        if to {
            self.begin_silence(index);
        }
    }

    /// Both ends see the connection go, each in its own time.
    fn drop_connection(&mut self, index: usize) {
        let (epoch, after) = (self.workers[index].epoch(), self.random.millis(1, 50));
        let closed = super::event::ForBroker::Closed(index, epoch);
        self.later(after, Scheduled::Broker(closed));
        let lost = ForWorker::OnConnection(epoch, Box::new(Event::ConnectionLost));
        let after = self.random.millis(1, 50);
        self.worker_later(index, after, lost);
    }
}
