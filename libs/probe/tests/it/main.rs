//! The probe against real sockets on loopback.

mod imap;
mod imap_bench;
mod tls;
mod tls_authority;
mod tls_legacy;
mod tls_modes;
