//! A circuit breaker for a mail server that is down.
//!
//! ```text
//! CLOSED --5 failures in a row--> OPEN --its time is over--> PROBING --answer--> CLOSED
//!                                  ^                            └──failure──> OPEN (longer)
//! ```
//! Only the server's own trouble counts. A wrong password is an answer, and the best proof
//! that the server is well.

use std::time::Duration;

use mailfleet_model::{FaultCode, Phase};

use crate::time::Monotonic;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open at first; doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(30);
/// How long it stays open at most.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// What a run tells about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answered.
    Up,
    /// It cannot be reached or is out of order.
    Down,
    /// Nothing: the run ended before, or for reasons of ours.
    Unknown,
}

impl Health {
    /// What a run's weightiest fault tells.
    #[must_use]
    pub fn of(code: Option<FaultCode>) -> Self {
        use FaultCode as C;
        match code {
            None => Self::Up,
            Some(
                C::ConnectRefused
                | C::ConnectTimeout
                | C::NetworkUnreachable
                | C::GreetingTimeout
                | C::ServerUnavailable
                | C::ConnectionClosedEarly
                | C::TlsHandshakeTimeout,
            ) => Self::Down,
            Some(code) if Phase::Capability <= code.phase() => Self::Up,
            Some(_) => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Monotonic, pause: Duration },
    Probing { pause: Duration },
}

/// The breaker of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaker(State);

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

impl Breaker {
    /// Whether a leg may start; a leg that is let through while the server is down is the
    /// probe, and no other is until it has ended.
    pub fn admit(&mut self, now: Monotonic) -> Result<(), Duration> {
        match self.0 {
            State::Closed { .. } => Ok(()),
            State::Open { until, pause } if until <= now => {
                self.0 = State::Probing { pause };
                Ok(())
            }
            State::Open { until, .. } => Err(until.since(now)),
            State::Probing { pause } => Err(pause),
        }
    }

    /// Notes how a run ended.
    pub fn note(&mut self, health: Health, now: Monotonic) {
        self.0 = match (self.0, health) {
            (State::Closed { failures }, Health::Down) if failures + 1 < FAILURES => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. }, Health::Down) => open(SHORTEST, now),
            (State::Closed { .. } | State::Probing { .. }, Health::Up) => {
                State::Closed { failures: 0 }
            }
            (State::Probing { pause }, Health::Down) => open((pause * 2).min(LONGEST), now),
            // The probe told nothing: the next leg is one.
            (State::Probing { pause }, Health::Unknown) => State::Open { until: now, pause },
            // Legs that began before it opened end one after the other.
            (State::Open { .. }, Health::Up) => State::Closed { failures: 0 },
            (state @ State::Open { .. }, Health::Down | Health::Unknown)
            | (state @ State::Closed { .. }, Health::Unknown) => state,
        };
    }

    /// When it lets the next leg through, while it does not.
    #[must_use]
    pub fn wait(&self, now: Monotonic) -> Option<Duration> {
        match self.0 {
            State::Closed { .. } => None,
            State::Open { until, .. } => Some(until.since(now)).filter(|wait| !wait.is_zero()),
            State::Probing { pause } => Some(pause),
        }
    }
}

fn open(pause: Duration, now: Monotonic) -> State {
    State::Open { until: now.plus(pause), pause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn down(times: u32, now: Monotonic) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..times {
            breaker.note(Health::Down, now);
        }
        breaker
    }

    #[test]
    fn the_states_follow_the_table() {
        let open = State::Open { until: at(100), pause: SHORTEST };
        let probing = State::Probing { pause: SHORTEST };
        let closed = |failures| State::Closed { failures };
        let longer = State::Open { until: at(10 + 60), pause: SHORTEST * 2 };
        let first = State::Open { until: at(10 + 30), pause: SHORTEST };
        let again = State::Open { until: at(10), pause: SHORTEST };
        let table = [
            (closed(2), Health::Up, closed(0)),
            (closed(2), Health::Unknown, closed(2)),
            (closed(2), Health::Down, closed(3)),
            (closed(4), Health::Down, first),
            (open, Health::Up, closed(0)),
            (open, Health::Unknown, open),
            (open, Health::Down, open),
            (probing, Health::Up, closed(0)),
            (probing, Health::Unknown, again),
            (probing, Health::Down, longer),
        ];
        for (state, health, expect) in table {
            let mut breaker = Breaker(state);
            breaker.note(health, at(10));
            assert_eq!(breaker.0, expect, "{state:?} and {health:?}");
        }
    }

    #[test]
    fn one_leg_probes_and_the_pause_doubles_up_to_ten_minutes() {
        let mut breaker = down(5, at(0));
        let mut now = at(0);
        for pause in [30, 60, 120, 240, 480, 600, 600] {
            assert_eq!(breaker.admit(now), Err(Duration::from_secs(pause)));
            now = now.plus(Duration::from_secs(pause));
            assert_eq!(breaker.admit(now), Ok(()));
            assert!(breaker.admit(now).is_err(), "only one probe at a time");
            breaker.note(Health::Down, now);
        }
        now = now.plus(LONGEST);
        assert_eq!(breaker.admit(now), Ok(()));
        breaker.note(Health::Up, now);
        assert_eq!((breaker.admit(now), breaker.wait(now)), (Ok(()), None));
    }

    #[test]
    fn refused_credentials_never_open_it() {
        let mut breaker = down(4, at(0));
        for code in FaultCode::all().filter(|code| Phase::Auth == code.phase()) {
            assert_eq!(Health::of(Some(code)), Health::Up, "{code}");
            breaker.note(Health::of(Some(code)), at(1));
            assert_eq!(breaker.admit(at(1)), Ok(()));
        }
    }
}
