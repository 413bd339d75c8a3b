//! A real fleet under real faults: gateways and workers as processes of the built binary, a
//! RabbitMQ and a PostgreSQL of the lab, mail servers in the process of the test.
//!
//! A caller submits through every gateway while something is killed, frozen, cut off or
//! changed, and writes a history. Afterwards a judge reads the history and what the mail
//! servers recorded: nothing lost, one report for each job and the same everywhere, no session
//! beyond a limit, only the pool's addresses, no refused password again.

#![expect(clippy::print_stderr, reason = "tests tell what they measured, and what they skip")]

mod batches;
mod broker;
mod calm;
mod chance;
mod change;
mod client;
mod collector;
mod exported;
mod ground;
mod held;
mod joined;
mod judge;
mod kills;
mod lab;
mod limits;
mod lost;
mod mail;
mod process;
mod proxy;
mod retraced;
mod scraped;
mod silent;
mod store;
mod traced;
mod upgrade;
mod zones;
