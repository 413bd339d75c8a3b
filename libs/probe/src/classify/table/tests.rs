//! Holds the table against its own rules: no dead row, no row without a source.

use mailfleet_model::Protocol;

use super::super::{ReplyPhase, Status, read};
use super::*;

/// The moments and protocols in which a sample is tried.
const PHASES: [ReplyPhase; 8] = [
    ReplyPhase::Auth,
    ReplyPhase::Open,
    ReplyPhase::Greeting,
    ReplyPhase::Capability,
    ReplyPhase::MailFrom,
    ReplyPhase::RcptTo,
    ReplyPhase::Body,
    ReplyPhase::Starttls,
];

#[test]
fn every_row_decides_its_own_sample() {
    let dead: Vec<_> = rows().filter(|row| !decides_its_sample(row)).map(|r| r.sample).collect();
    assert!(dead.is_empty(), "rows that are never reached: {dead:#?}");
}

fn decides_its_sample(row: &'static Row) -> bool {
    let protocols = [Protocol::Imap, Protocol::Pop3, Protocol::Smtp];
    PHASES.iter().any(|&phase| {
        protocols.iter().any(|&protocol| {
            let mut refusal = Refusal::new(protocol, phase, Status::No, row.sample);
            refusal.mechanism = (row.about == About::Token).then_some("XOAUTH2");
            let words = read(&refusal, row.sample).words;
            look_up(&refusal, &words).is_some_and(|found| std::ptr::eq(found, row))
        })
    })
}

#[test]
fn every_row_is_sourced_and_ambiguity_names_alternatives() {
    for row in rows() {
        assert!(!row.source.is_empty(), "no source: {}", row.sample);
        assert!(!row.sample.is_empty(), "no sample: {}", row.code);
        assert!(!row.words.is_empty(), "matches everything: {}", row.sample);
        assert!(row.words.iter().all(|group| !group.is_empty()), "{}", row.sample);
        let is_open = row.confidence != Confidence::Ambiguous || !row.alternatives.is_empty();
        assert!(is_open, "{}", row.sample);
        assert!(!row.alternatives.contains(&row.code), "{}", row.sample);
    }
}
