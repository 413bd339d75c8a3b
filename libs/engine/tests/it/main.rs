//! The whole fleet in one thread, with everything that can go wrong, thousands of times.

mod sim;
mod takeover;
mod upgrade;

mod calm;
mod histories;
mod mutations;
