//! The guard of a batch: a domain's first items go ahead as canaries, and a run of
//! refusals stops the batch before it locks out a whole company.

use std::collections::BTreeMap;

use mailfleet_model::leg::LoginOutcome;

/// What the guard is asked to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSettings {
    /// Items of a domain that go ahead; the others wait until one of them was answered
    /// with something other than a definitive refusal.
    pub canaries: u32,
    /// Definitive refusals in a row, over all domains, that pause the batch; `None`: it is
    /// never paused.
    pub stop_when: Option<u32>,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { canaries: 3, stop_when: Some(20) }
    }
}

/// Whether an item may be submitted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// It may.
    Now,
    /// Its domain's canaries are out.
    AfterCanaries,
    /// The batch is paused.
    Paused,
}

#[derive(Debug, Clone, Copy, Default)]
struct Domain {
    out: u32,
    refused: u32,
    proven: bool,
}

/// Watches one batch. Built anew from the items after a restart.
#[derive(Debug, Clone)]
pub struct Guard {
    settings: GuardSettings,
    domains: BTreeMap<String, Domain>,
    refusals: u32,
}

impl Guard {
    /// A guard of a batch of which nothing is out.
    #[must_use]
    pub fn new(settings: GuardSettings) -> Self {
        Self { settings, domains: BTreeMap::new(), refusals: 0 }
    }

    /// Whether an item of this domain may be submitted; counts it if so.
    pub fn admit(&mut self, domain: &str) -> Admit {
        if self.stopped() {
            return Admit::Paused;
        }
        let canaries = self.settings.canaries;
        let domain = self.domains.entry(domain.to_owned()).or_default();
        if !domain.proven && canaries <= domain.out.saturating_add(domain.refused) {
            // All canaries refused: more of them may go one by one, until the whole batch
            // stops; the domain may have a few wrong passwords and many right ones.
            if domain.out != 0 {
                return Admit::AfterCanaries;
            }
        }
        domain.out = domain.out.saturating_add(1);
        Admit::Now
    }

    /// Notes how an item's login ended. Returns the reason if the batch is to be paused.
    pub fn answered(&mut self, domain: &str, login: LoginOutcome) -> Option<String> {
        let state = self.domains.entry(domain.to_owned()).or_default();
        state.out = state.out.saturating_sub(1);
        match login {
            LoginOutcome::RefusedDefinitively => {
                state.refused = state.refused.saturating_add(1);
                self.refusals = self.refusals.saturating_add(1);
            }
            LoginOutcome::Accepted => {
                state.proven = true;
                self.refusals = 0;
            }
            // Says nothing about passwords: neither ends a run nor belongs to one.
            LoginOutcome::NotTried | LoginOutcome::RefusedAmbiguously | LoginOutcome::Undecided => {
                state.proven = true
            }
        }
        self.stopped().then(|| format!("{} logins in a row were refused for good", self.refusals))
    }

    /// Goes on after a person looked: the run of refusals begins anew.
    pub fn resume(&mut self) {
        self.refusals = 0;
    }

    fn stopped(&self) -> bool {
        self.settings.stop_when.is_some_and(|most| most <= self.refusals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_go_first_and_a_success_frees_the_rest() {
        let mut guard = Guard::new(GuardSettings::default());
        let admitted: Vec<Admit> = (0..4).map(|_| guard.admit("a.test")).collect();
        assert_eq!(admitted, [Admit::Now, Admit::Now, Admit::Now, Admit::AfterCanaries]);
        assert_eq!(guard.admit("b.test"), Admit::Now);
        assert_eq!(guard.answered("a.test", LoginOutcome::Accepted), None);
        assert_eq!(guard.admit("a.test"), Admit::Now);
    }

    #[test]
    fn refused_canaries_let_the_rest_through_one_by_one() {
        let mut guard = Guard::new(GuardSettings::default());
        for _ in 0..3 {
            assert_eq!(guard.admit("a.test"), Admit::Now);
        }
        for _ in 0..3 {
            assert_eq!(guard.answered("a.test", LoginOutcome::RefusedDefinitively), None);
        }
        assert_eq!(guard.admit("a.test"), Admit::Now);
        assert_eq!(guard.admit("a.test"), Admit::AfterCanaries);
    }

    #[test]
    fn a_run_of_refusals_pauses_and_a_success_ends_the_run() {
        let settings = GuardSettings { canaries: 100, stop_when: Some(3) };
        let mut guard = Guard::new(settings);
        let refuse = |guard: &mut Guard| guard.answered("a", LoginOutcome::RefusedDefinitively);
        assert_eq!((refuse(&mut guard), refuse(&mut guard)), (None, None));
        assert_eq!(guard.answered("a", LoginOutcome::Accepted), None);
        assert_eq!((refuse(&mut guard), refuse(&mut guard)), (None, None));
        let reason = refuse(&mut guard).expect("a reason");
        assert_eq!(reason, "3 logins in a row were refused for good");
        assert_eq!(guard.admit("a"), Admit::Paused);
        guard.resume();
        assert_eq!(guard.admit("a"), Admit::Now);
    }
}
