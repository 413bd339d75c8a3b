//! Finds the rules that apply at a step, and counts their uses.
//!
//! Apart from `fault` so that a server's description stays plain data that can be compared.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::fault::{Fault, Rule, Strip};
use crate::step::Step;

/// The rules of a running server.
#[derive(Debug)]
pub(crate) struct RuleBook {
    rules: Vec<(Arc<Rule>, AtomicU32)>,
}

/// What the rules say about one step.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The sum of all delays.
    pub(crate) delay: Duration,
    /// The pause between bytes of the answer.
    pub(crate) drip: Option<Duration>,
    /// The first rule that replaces the answer.
    pub(crate) rule: Option<Arc<Rule>>,
}

impl RuleBook {
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let rules = rules.iter().map(|r| (Arc::new(r.clone()), AtomicU32::new(0))).collect();
        Self { rules }
    }

    /// Looks up a step and uses up one turn of each rule that applies.
    pub(crate) fn find(&self, step: Step, peer: IpAddr, user: Option<&str>) -> Found {
        let mut found = Found::default();
        for (rule, used) in &self.rules {
            let replaces = !rule.fault.is_modifier();
            let standing = matches!(rule.fault, Fault::StripStarttls(_));
            if standing
                || (replaces && found.rule.is_some())
                || !applies(rule, step, peer, user)
                || !take_turn(used, rule.times)
            {
                continue;
            }
            match rule.fault {
                Fault::Delay(pause) => found.delay = found.delay.saturating_add(pause),
                Fault::Drip(pause) => found.drip = Some(pause),
                _ => found.rule = Some(Arc::clone(rule)),
            }
        }
        found
    }

    /// How STARTTLS is hidden from this peer, if it is.
    pub(crate) fn strip(&self, peer: IpAddr) -> Option<Strip> {
        self.rules.iter().find_map(|(rule, _)| match rule.fault {
            Fault::StripStarttls(strip) if rule.from.is_none_or(|ip| ip == peer) => Some(strip),
            _ => None,
        })
    }
}

fn applies(rule: &Rule, step: Step, peer: IpAddr, user: Option<&str>) -> bool {
    let here =
        rule.step == step || (rule.step == Step::Any && !matches!(step, Step::Connect | Step::Tls));
    here && rule.from.is_none_or(|ip| ip == peer)
        && rule.user.as_deref().is_none_or(|wanted| Some(wanted) == user)
}

fn take_turn(used: &AtomicU32, times: Option<u32>) -> bool {
    let Some(times) = times else { return true };
    used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < times).then_some(n + 1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_rule_for_the_first_times_wears_out() {
        let book = RuleBook::new(&[Rule::new(Step::Login, Fault::Close).first(2)]);
        let hits = (0..4).filter(|_| book.find(Step::Login, HERE, None).rule.is_some()).count();
        assert_eq!(hits, 2);
    }

    #[test]
    fn conditions_must_all_hold() {
        let book =
            RuleBook::new(&[Rule::new(Step::Login, Fault::Close).only_from(HERE).only_user("a")]);
        assert!(book.find(Step::Login, HERE, Some("a")).rule.is_some());
        assert!(book.find(Step::Login, HERE, Some("b")).rule.is_none());
        assert!(book.find(Step::Login, HERE, None).rule.is_none());
        assert!(book.find(Step::Login, [127, 0, 0, 2].into(), Some("a")).rule.is_none());
        assert!(book.find(Step::Open, HERE, Some("a")).rule.is_none());
    }

    #[test]
    fn delays_add_up_and_go_with_a_fault() {
        let second = Duration::from_secs(1);
        let book = RuleBook::new(&[
            Rule::new(Step::Any, Fault::Delay(second)),
            Rule::new(Step::Open, Fault::Delay(second)),
            Rule::new(Step::Open, Fault::Reply("NO".into())),
        ]);
        let found = book.find(Step::Open, HERE, None);
        assert_eq!((found.delay, found.rule.is_some()), (second * 2, true));
        assert_eq!(book.find(Step::Connect, HERE, None).delay, Duration::ZERO);
    }
}
