//! The worker against the broker in this process, a small gateway and simulated servers.

mod egress;
mod ends;
#[path = "../../../../deploy/lab/facts.rs"]
mod facts;
mod gateway;
mod legs;
mod limits;
mod order;
mod pairs;
mod rabbit;
mod secrets;
mod spy;
mod state;
mod trouble;
mod world;
