//! The probe against real sockets on loopback.

mod arrival;
mod bench;
#[path = "../../../../deploy/lab/facts.rs"]
mod facts;
mod hostile;
mod imap;
mod imap_hostile;
mod imap_login;
mod imap_transcripts;
mod logged;
mod pop3;
mod real;
mod replay;
mod sasl;
mod smtp;
mod socks5;
mod tls;
mod tls_authority;
mod tls_legacy;
mod tls_modes;
mod transcripts;
