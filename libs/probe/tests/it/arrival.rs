//! The whole way of a test mail: marked, submitted, found again, put away.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_mailsim::{
    Delivery, Estate, Fate, Fault, Personality, Running, SentCopy, Server, Step,
};
use mailfleet_model::leg::{
    ArrivalPlan, FolderRole, IncomingPlan, LegPlan, LookFor, Marks, OutgoingPlan, Submission,
};
use mailfleet_model::{FaultCode, LegReport, Protocol, StepKind, StepOutcome};

use crate::bench::{Bench, PASSWORD, USER, codes, steps};

const TOKEN: &str = "abcdefgh12345678";

/// An incoming and an outgoing server that share their accounts.
struct Town {
    incoming: Running,
    outgoing: Running,
    estate: Arc<Estate>,
}

impl Town {
    async fn new(delivery: Delivery, incoming: Server) -> Self {
        let estate = Arc::new(Estate::new(delivery));
        let of = |server: Server| {
            server.host("localhost").mailbox(USER, PASSWORD).estate(Arc::clone(&estate)).start()
        };
        let incoming = of(incoming).await.expect("starts");
        let outgoing = of(Server::smtp()).await.expect("starts");
        Self { incoming, outgoing, estate }
    }

    fn bench(&self, plan: LegPlan) -> Bench {
        let server = match plan {
            LegPlan::Outgoing(_) => &self.outgoing,
            LegPlan::Incoming(_) | LegPlan::Arrival(_) => &self.incoming,
        };
        let protocol = match server.protocol() {
            mailfleet_mailsim::Protocol::Imap => Protocol::Imap,
            mailfleet_mailsim::Protocol::Pop3 => Protocol::Pop3,
            mailfleet_mailsim::Protocol::Smtp => Protocol::Smtp,
        };
        Bench::to(server).with(|bench| {
            bench.spec.endpoint.protocol = protocol;
            bench.spec.plan = plan;
        })
    }

    /// Marks, submits, and returns the marks.
    async fn send(&self) -> Marks {
        let marked = self.bench(LegPlan::Incoming(IncomingPlan::OpenAndMark)).run().await;
        assert!(marked.is_usable(), "{marked:#?}");
        self.submit().await;
        marked.marks
    }

    /// Likewise, where the server itself is frowned upon.
    async fn send_past_warnings(&self) -> Marks {
        let marked = self.bench(LegPlan::Incoming(IncomingPlan::OpenAndMark)).run().await;
        self.submit().await;
        marked.marks
    }

    async fn submit(&self) {
        let to = USER.parse().expect("an address");
        let plan = OutgoingPlan::TestMail { to, token: TOKEN.to_owned() };
        let sent = self.bench(LegPlan::Outgoing(plan)).run().await;
        assert_eq!(sent.submission, Submission::Accepted, "{sent:#?}");
    }

    fn looking(&self, marks: Marks, look_for: LookFor, timeout: Duration) -> Bench {
        let token = TOKEN.to_owned();
        self.bench(LegPlan::Arrival(ArrivalPlan { token, marks, look_for, timeout }))
    }

    /// The whole way.
    async fn round_trip(&self, timeout: Duration) -> LegReport {
        let marks = self.send().await;
        self.looking(marks, LookFor::MailAndSentCopy, timeout).run().await
    }

    fn count(&self, folder: &str) -> usize {
        self.estate.folder(USER, folder).map_or(0, |folder| folder.messages.len())
    }
}

const SOON: Duration = Duration::from_secs(10);

fn at(fate: Fate) -> Delivery {
    Delivery { fate, ..Delivery::default() }
}

fn filed() -> Delivery {
    Delivery { sent_copy: SentCopy::Filed, ..Delivery::default() }
}

#[track_caller]
fn found_in(report: &LegReport) -> Option<FolderRole> {
    report.arrival.as_ref().expect("an arrival").found.as_ref().map(|(_, role)| *role)
}

#[tokio::test]
async fn the_mail_and_its_sent_copy_are_found_and_moved_to_trash() {
    let town = Town::new(filed(), Server::imap().personality(Personality::Dovecot)).await;
    let report = town.round_trip(SOON).await;
    assert_eq!(codes(&report), [], "{report:#?}");
    assert_eq!(found_in(&report), Some(FolderRole::Inbox));
    let arrival = report.arrival.as_ref().expect("an arrival");
    assert_eq!((arrival.sent_copy, arrival.after.is_some()), (Some(true), true));
    assert_eq!((town.count("INBOX"), town.count("Sent"), town.count("Trash")), (0, 0, 2));
    let ends = (StepKind::Cleanup, StepOutcome::Ok);
    assert_eq!(steps(&report).iter().filter(|step| **step == ends).count(), 2, "moved, LOGOUT");
    let commands = town.incoming.recorder().commands();
    assert!(!commands.iter().any(|line| line.starts_with("EXPUNGE")), "{commands:?}");
}

#[tokio::test]
async fn a_server_that_files_no_copy_is_told_so() {
    let town = Town::new(Delivery::default(), Server::imap()).await;
    let report = town.round_trip(SOON).await;
    assert_eq!(codes(&report), [], "{report:#?}");
    assert_eq!(report.arrival.expect("an arrival").sent_copy, Some(false));
}

#[tokio::test]
async fn a_mail_in_junk_has_arrived_with_a_warning() {
    let town = Town::new(at(Fate::Junk), Server::imap().personality(Personality::Dovecot)).await;
    let report = town.round_trip(SOON).await;
    assert_eq!(codes(&report), [FaultCode::TestMailInJunk]);
    assert!(report.is_usable());
    assert_eq!(town.count("Junk"), 0);
}

#[tokio::test]
async fn a_mail_that_a_filter_archived_is_found_in_all_mail() {
    let town = Town::new(at(Fate::Archive), Server::imap().personality(Personality::Gmail)).await;
    let report = town.round_trip(SOON).await;
    assert_eq!(codes(&report), [], "{report:#?}");
    assert_eq!(found_in(&report), Some(FolderRole::All));
}

#[tokio::test]
async fn a_lost_mail_is_inconclusive_by_its_retry_class() {
    let town = Town::new(at(Fate::Lost), Server::imap()).await;
    let report = town.round_trip(Duration::from_millis(50)).await;
    assert_eq!(codes(&report), [FaultCode::TestMailNotReceived]);
    assert!(report.faults.iter().all(|fault| fault.retry.is_temporary()));
    assert_eq!(report.arrival.expect("an arrival").found, None);
}

#[tokio::test]
async fn a_bounce_is_read_and_put_away() {
    let town = Town::new(at(Fate::Bounced), Server::imap().personality(Personality::Dovecot)).await;
    let report = town.round_trip(SOON).await;
    assert_eq!(codes(&report), [FaultCode::TestMailBounced], "{report:#?}");
    let evidence = &report.faults[0].evidence;
    assert!(evidence.server_text.is_some() && evidence.enhanced_code.is_some(), "{evidence:?}");
    assert_eq!(town.count("INBOX"), 0);
}

#[tokio::test]
async fn another_sender_is_noticed() {
    let rewrite_from = Some("alias@example.test".to_owned());
    let delivery = Delivery { rewrite_from, ..Delivery::default() };
    let town = Town::new(delivery, Server::imap()).await;
    let report = town.round_trip(SOON).await;
    assert_eq!(codes(&report), [FaultCode::SenderRewritten]);
    assert_eq!(report.faults[0].evidence.server_text.as_deref(), Some("alias@example.test"));
}

#[tokio::test]
async fn what_cannot_be_moved_stays_and_is_named() {
    for (step, personality) in
        [(Step::Move, Personality::Dovecot), (Step::Open, Personality::Generic)]
    {
        let refused = Fault::Reply("NO [NOPERM] Not here".to_owned());
        let town = Town::new(Delivery::default(), Server::imap().personality(personality)).await;
        let marks = town.send().await;
        // The same accounts behind a server that refuses.
        let server = Server::imap().personality(personality).host("localhost");
        let server = server.mailbox(USER, PASSWORD).estate(Arc::clone(&town.estate));
        let server = server.at(step, refused).start().await.expect("starts");
        let looking = town.looking(marks, LookFor::MailAndSentCopy, Duration::from_millis(10));
        let report = looking.with(|bench| bench.spec.endpoint.port = server.port()).run().await;
        if step == Step::Open {
            assert_eq!(codes(&report), [FaultCode::TestMailNotReceived], "{report:#?}");
        } else {
            assert_eq!(codes(&report), [FaultCode::TestMailCleanupFailed], "{report:#?}");
            let evidence = &report.faults[0].evidence;
            assert_eq!(evidence.fact(mailfleet_model::FactKind::Folder), Some("INBOX"));
        }
        assert_eq!(town.count("INBOX"), 1, "{personality}");
    }
}

#[tokio::test]
async fn without_move_exactly_the_message_is_copied_and_expunged() {
    // Courier has UIDPLUS and no MOVE, and tells UIDNEXT only when asked.
    let town =
        Town::new(Delivery::default(), Server::imap().personality(Personality::Courier)).await;
    let marks = town.send_past_warnings().await;
    let report = town.looking(marks, LookFor::MailAndSentCopy, SOON).run().await;
    assert_eq!(codes(&report), [], "{report:#?}");
    assert_eq!(found_in(&report), Some(FolderRole::Inbox));
    assert_eq!((town.count("INBOX"), town.count("INBOX.Trash")), (0, 1));
    let commands = town.incoming.recorder().commands();
    for word in ["UID COPY", "UID STORE", "UID EXPUNGE"] {
        assert!(commands.iter().any(|line| line.starts_with(word)), "{word} in {commands:?}");
    }
}

#[tokio::test]
async fn to_another_mailbox_only_sent_is_looked_at() {
    let town = Town::new(filed(), Server::imap().personality(Personality::Dovecot)).await;
    let marks = town.send().await;
    drop(town.incoming.recorder().drain());
    let report = town.looking(marks, LookFor::SentCopy, SOON).run().await;
    assert_eq!(codes(&report), [], "{report:#?}");
    assert_eq!(report.arrival.expect("an arrival").sent_copy, Some(true));
    let commands = town.incoming.recorder().commands();
    assert!(!commands.iter().any(|line| line.contains("INBOX")), "{commands:?}");
    assert_eq!((town.count("INBOX"), town.count("Sent")), (1, 0));
}

#[tokio::test]
async fn over_pop3_the_mail_is_found_and_left_where_it_is() {
    let town = Town::new(Delivery::default(), Server::pop3()).await;
    let report = town.round_trip(SOON).await;
    assert_eq!(codes(&report), [FaultCode::TestMailCleanupFailed], "{report:#?}");
    assert_eq!(found_in(&report), Some(FolderRole::Inbox));
    assert_eq!(town.count("INBOX"), 1);
    let commands = town.incoming.recorder().commands();
    assert!(
        !commands.iter().any(|l| l.starts_with("RETR") || l.starts_with("DELE")),
        "{commands:?}"
    );
}

#[tokio::test]
async fn a_cancelled_search_still_says_goodbye() {
    let town = Town::new(at(Fate::Lost), Server::imap()).await;
    let marks = town.send().await;
    let bench = town.looking(marks, LookFor::MailAndSentCopy, Duration::from_secs(15));
    let cancel = bench.cancel.clone();
    let recorder = Arc::clone(town.incoming.recorder());
    drop(recorder.drain());
    let watch = async {
        let is_looking =
            |lines: &[String]| lines.iter().filter(|l| l.starts_with("EXAMINE")).count() >= 2;
        assert!(recorder.wait_until(SOON, |own| is_looking(&own.commands())).await);
        cancel.cancel();
    };
    let (report, ()) = tokio::join!(bench.run(), watch);
    assert_eq!(codes(&report), []);
    assert!(steps(&report).contains(&(StepKind::Arrival, StepOutcome::Cancelled)), "{report:#?}");
    assert!(recorder.wait_until(SOON, |own| own.commands().iter().any(|l| l == "LOGOUT")).await);
}
