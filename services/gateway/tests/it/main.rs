//! The gateway as its callers see it: a real client, a real socket, simulated mail servers.

mod disconnect;
mod drain;
mod load;
mod secrets;
mod stream;
mod surface;
mod world;
