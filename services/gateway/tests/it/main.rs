//! The gateway as its callers see it: a real client, a real socket, an SQLite
//! store, a broker in this process, a real worker, and simulated mail servers.

mod batch;
mod calls;
mod disconnect;
mod drain;
mod events;
mod faults;
mod jobs;
mod load;
mod operate;
mod secrets;
mod store;
mod stream;
mod submit;
mod surface;
mod tls;
mod world;
