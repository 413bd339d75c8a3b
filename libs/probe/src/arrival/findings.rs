//! What the arrival leg has found so far, and what that means.
//!
//! Apart from the looking, which may be cut short at any moment: the findings are kept
//! outside it, so that they are reported and put away all the same.

use std::time::Duration;

use mailfleet_model::leg::{Arrival, FolderRole, LookFor};
use mailfleet_model::{EmailAddress, Evidence, FactKind, Fault, FaultCode, Leg};

use super::header::Diagnosis;

/// Most matching messages of one folder; a mail is sent once.
const MAX_HITS: usize = 10;

/// A message that carries the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    /// The folder's name as the server writes it.
    pub(super) folder: String,
    /// What the folder is for.
    pub(super) role: FolderRole,
    /// Its UIDVALIDITY when the message was seen.
    pub(super) uid_validity: Option<u32>,
    /// The message.
    pub(super) uid: u32,
}

/// Where and when the mail was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    folder: String,
    role: FolderRole,
    after: Duration,
    from: Option<String>,
}

/// All that was found.
#[derive(Debug)]
pub(super) struct Findings {
    look_for: LookFor,
    candidates: Vec<Seen>,
    /// Messages to put away.
    pub(super) hits: Vec<Hit>,
    /// What a bounce said.
    pub(super) bounce: Option<Diagnosis>,
    /// Whether a Sent folder could be looked at.
    pub(super) sent_was_seen: bool,
}

impl Findings {
    /// Nothing yet.
    pub(super) fn new(look_for: LookFor) -> Self {
        Self {
            look_for,
            candidates: Vec::new(),
            hits: Vec::new(),
            bounce: None,
            sent_was_seen: false,
        }
    }

    /// Takes a copy of the test mail; `folder` is the name for people.
    pub(super) fn add(&mut self, hit: Hit, folder: &str, after: Duration, from: Option<String>) {
        if self.keep(hit.clone()) && hit.role != FolderRole::Sent {
            let folder = folder.to_owned();
            self.candidates.push(Seen { folder, role: hit.role, after, from });
        }
    }

    /// Takes a bounce of the test mail.
    pub(super) fn add_bounce(&mut self, hit: Hit, diagnosis: Diagnosis) {
        self.keep(hit);
        self.bounce = Some(diagnosis);
    }

    fn keep(&mut self, hit: Hit) -> bool {
        let same_folder = self.hits.iter().filter(|own| own.folder == hit.folder).count();
        let is_new = !self.hits.contains(&hit) && same_folder < MAX_HITS;
        if is_new {
            self.hits.push(hit);
        }
        is_new
    }

    fn count(&self, role: FolderRole) -> usize {
        self.hits.iter().filter(|hit| hit.role == role).count()
    }

    /// The arrived mail. What lies in All Mail alone may be the sent copy: then it takes
    /// one message more there than in Sent.
    fn seen(&self) -> Option<&Seen> {
        let is_proof = |seen: &&Seen| {
            seen.role != FolderRole::All
                || self.count(FolderRole::All) > self.count(FolderRole::Sent)
        };
        self.candidates.iter().find(is_proof)
    }

    /// Whether looking further can tell no more.
    pub(super) fn is_complete(&self) -> bool {
        match self.look_for {
            LookFor::MailAndSentCopy => self.seen().is_some() || self.bounce.is_some(),
            LookFor::SentCopy => self.count(FolderRole::Sent) > 0,
        }
    }

    /// Whether the arrived mail was seen.
    pub(super) fn has_arrived(&self) -> bool {
        self.seen().is_some()
    }

    /// The messages to put away: what lies in All Mail is the same message as elsewhere,
    /// unless it lies nowhere else.
    pub(super) fn to_put_away(&self) -> Vec<&Hit> {
        let elsewhere = self.hits.iter().any(|hit| hit.role != FolderRole::All);
        self.hits.iter().filter(|hit| hit.role != FolderRole::All || !elsewhere).collect()
    }

    /// The report's view.
    pub(super) fn arrival(&self) -> Arrival {
        let seen = self.seen();
        let has_copy = self.count(FolderRole::Sent) > 0;
        Arrival {
            found: seen.map(|seen| (seen.folder.clone(), seen.role)),
            after: seen.map(|seen| seen.after),
            sent_copy: self.sent_was_seen.then_some(has_copy),
        }
    }

    /// Things worth telling about a mail that arrived.
    pub(super) fn warnings(&self, leg: Leg, mailbox: &EmailAddress) -> Vec<Fault> {
        let Some(seen) = self.seen() else { return Vec::new() };
        let mut warnings = Vec::new();
        if seen.role == FolderRole::Junk {
            let evidence = Evidence::default()
                .with(FactKind::Folder, seen.folder.clone())
                .with(FactKind::Elapsed, seconds(seen.after));
            warnings.push(Fault::new(FaultCode::TestMailInJunk, leg).with_evidence(evidence));
        }
        if let Some(from) = &seen.from
            && *from != mailbox.to_string().to_lowercase()
        {
            let evidence = Evidence { server_text: Some(from.clone()), ..Evidence::default() };
            warnings.push(Fault::new(FaultCode::SenderRewritten, leg).with_evidence(evidence));
        }
        warnings
    }

    /// Why the mail counts as not arrived. `words` are the bounce's, decoded and redacted.
    pub(super) fn failure(&self, leg: Leg, waited: Duration, words: Option<String>) -> Fault {
        let evidence = Evidence::default().with(FactKind::Elapsed, seconds(waited));
        match &self.bounce {
            Some(diagnosis) => {
                Fault::new(FaultCode::TestMailBounced, leg).with_evidence(Evidence {
                    server_text: words,
                    enhanced_code: diagnosis.status.clone(),
                    ..evidence
                })
            }
            None => Fault::new(FaultCode::TestMailNotReceived, leg).with_evidence(evidence),
        }
    }
}

/// A time in words, to a tenth of a second below ten seconds.
pub(super) fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{:.1} s", time.as_secs_f32().max(0.1))
    } else {
        format!("{} s", time.as_secs())
    }
}

/// The fault for messages that stay where they are; `words` are the server's.
pub(super) fn left_behind(leg: Leg, folders: &[String], words: Option<String>) -> Fault {
    let evidence = Evidence { server_text: words, ..Evidence::default() };
    let evidence = evidence.with(FactKind::Folder, folders.join(", "));
    Fault::new(FaultCode::TestMailCleanupFailed, leg).with_evidence(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(roles: &[FolderRole]) -> Findings {
        let mut findings = Findings::new(LookFor::MailAndSentCopy);
        for (uid, role) in (1..).zip(roles) {
            let folder = role.to_string();
            let hit = Hit { folder: folder.clone(), role: *role, uid_validity: None, uid };
            findings.add(hit, &folder, Duration::from_secs(2), None);
        }
        findings
    }

    #[test]
    fn all_mail_alone_proves_nothing_beside_a_sent_copy() {
        use FolderRole::{All, Inbox, Sent};
        assert!(findings(&[All]).has_arrived());
        assert!(!findings(&[All, Sent]).has_arrived());
        assert!(findings(&[All, All, Sent]).has_arrived());
        assert!(findings(&[All, Sent, Inbox]).has_arrived());
        assert!(!findings(&[Sent]).has_arrived());
    }

    #[test]
    fn a_message_in_all_mail_is_put_away_only_if_it_lies_nowhere_else() {
        use FolderRole::{All, Inbox};
        let roles = |findings: Findings| -> Vec<FolderRole> {
            findings.to_put_away().iter().map(|hit| hit.role).collect()
        };
        assert_eq!(roles(findings(&[All])), [All]);
        assert_eq!(roles(findings(&[All, Inbox])), [Inbox]);
    }

    #[test]
    fn junk_and_another_sender_are_told() {
        let mut junk = findings(&[FolderRole::Junk]);
        for seen in &mut junk.candidates {
            seen.from = Some("other@b.test".to_owned());
        }
        let mailbox = "user@b.test".parse().expect("an address");
        let codes: Vec<FaultCode> =
            junk.warnings(Leg::Roundtrip, &mailbox).iter().map(|fault| fault.code).collect();
        assert_eq!(codes, [FaultCode::TestMailInJunk, FaultCode::SenderRewritten]);
    }
}
