//! The probe against real sockets on loopback.

mod tls;
mod tls_authority;
