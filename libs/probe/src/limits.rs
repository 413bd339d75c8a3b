//! How long each step of a leg may take.
//!
//! Real servers delay on purpose: tarpits greet after 30 seconds, and Dovecot holds a
//! refused login back for up to 17. A limit that is too short turns "wrong password"
//! into "does not answer".

use std::time::Duration;

/// Longest time for each step. All beneath the budget of the whole leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Host name to addresses. Defaults to 10 s.
    pub resolve: Duration,
    /// The last address of a host; 5 s while others remain. Defaults to 15 s.
    pub connect: Duration,
    /// TLS handshake, with the probes that explain a failed one. Defaults to 20 s.
    pub tls: Duration,
    /// The server's first words. Defaults to 35 s.
    pub greeting: Duration,
    /// CAPABILITY, CAPA, EHLO, STARTTLS, ID. Defaults to 15 s.
    pub capability: Duration,
    /// The answer to a login. Defaults to 30 s.
    pub login: Duration,
    /// Opening the mailbox. Defaults to 30 s.
    pub open: Duration,
    /// Each of MAIL FROM, RCPT TO, RSET. Defaults to 30 s.
    pub envelope: Duration,
    /// The answer to the message. Defaults to 120 s (RFC 5321 section 4.5.3.2.6 allows 10 min).
    pub submit: Duration,
    /// LOGOUT or QUIT. Defaults to 1 s.
    pub goodbye: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(15),
            tls: Duration::from_secs(20),
            greeting: Duration::from_secs(35),
            capability: Duration::from_secs(15),
            login: Duration::from_secs(30),
            open: Duration::from_secs(30),
            envelope: Duration::from_secs(30),
            submit: Duration::from_secs(120),
            goodbye: Duration::from_secs(1),
        }
    }
}

impl Limits {
    /// Time for the greeting when `remaining` is left of the budget: up to the limit, but
    /// leaving room to find out whether the port expects TLS.
    #[must_use]
    pub fn greeting_within(&self, remaining: Duration) -> Duration {
        let room = Duration::from_secs(10);
        self.greeting.min(remaining.saturating_sub(room).max(remaining / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_leaves_room_to_explain_silence() {
        let limits = Limits::default();
        let within = |s| limits.greeting_within(Duration::from_secs(s)).as_secs();
        assert_eq!([within(60), within(30), within(8)], [35, 20, 4]);
    }
}
