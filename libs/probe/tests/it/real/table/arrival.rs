//! The round trip through Postfix into Dovecot: found, timed, told, and put away.

use std::time::Duration;

use mailfleet_model::leg::FolderRole;
use mailfleet_model::{FaultCode as C, Security, SentCopy};

use crate::real::row::{Mail, Row, Shows, row};

use Security::{Starttls, Tls};

/// Long enough to have looked more than once.
const SHORT: Duration = Duration::from_secs(3);

pub(super) fn rows() -> Vec<Row> {
    let send = |name: &str, user| {
        row(format!("round trip: {name}"), user)
            .imap("dovecot", "imap_tls", Tls)
            .smtp("postfix", "submission", Starttls)
            .mail(Mail::ToSelf)
    };
    vec![
        send("arrives, and is moved to Trash", "user035")
            .healthy(&[])
            .shows(Shows::FoundIn(FolderRole::Inbox))
            .shows(Shows::SentCopy(SentCopy::NotSaved))
            .shows(Shows::OnlyInTrash),
        send("arrives through Dovecot's submission", "user036")
            .smtp("dovecot", "submission", Starttls)
            .healthy(&[])
            .shows(Shows::FoundIn(FolderRole::Inbox))
            .shows(Shows::OnlyInTrash),
        send("STARTTLS both ways", "user037")
            .imap("dovecot", "imap", Starttls)
            .healthy(&[])
            .shows(Shows::OnlyInTrash),
        send("arrives in Junk", "junked")
            .healthy(&[C::TestMailInJunk])
            .shows(Shows::FoundIn(FolderRole::Junk))
            .shows(Shows::OnlyInTrash),
        send("sender rewritten", "rewritten")
            .healthy(&[C::SenderRewritten])
            .shows(Shows::FoundIn(FolderRole::Inbox))
            .shows(Shows::OnlyInTrash),
        send("never arrives", "lost")
            .look_for(SHORT)
            .inconclusive(&[C::TestMailNotReceived])
            .shows(Shows::SentCopy(SentCopy::Unknown)),
        send("to another mailbox: only Sent is looked at", "user038")
            .mail(Mail::To("user039"))
            .look_for(SHORT)
            .healthy(&[])
            .shows(Shows::SentCopy(SentCopy::Unknown)),
        // POP3 has no folders: it is found, and said to be still there.
        send("over POP3, by UIDL", "user040")
            .pop3("dovecot", "pop3_tls", Tls)
            .healthy(&[C::TestMailCleanupFailed])
            .shows(Shows::FoundIn(FolderRole::Inbox)),
        send("the mailbox is full", "overquota").mail(Mail::To("full")).faulty(&[C::QuotaExceeded]),
    ]
}
