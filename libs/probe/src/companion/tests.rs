//! The ends of a pact, in one process and over two.

use std::sync::Mutex;

use mailfleet_model::{Credential, Secret};

use super::*;

fn login(secret: &str) -> Login {
    let credential = Credential::Password(Secret::new(secret.as_bytes().to_vec()));
    Login::new("user", Arc::new(credential)).expect("a login")
}

#[tokio::test(start_paused = true)]
async fn the_second_leg_keeps_a_refused_password_back() {
    let (mut first, mut second) = Companion::pair(&login("a"), &login("a"));
    assert_eq!(first.may_log_in().await, Permission::Go);
    let code = FaultCode::AuthInvalidCredentials;
    first.login_answered(LoginOutcome::RefusedDefinitively, Some(code));
    assert_eq!(second.may_log_in().await, Permission::KeepBack(code));
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_refusal_lets_the_second_leg_try() {
    let (mut first, mut second) = Companion::pair(&login("a"), &login("a"));
    assert_eq!(first.may_log_in().await, Permission::Go);
    first.login_answered(LoginOutcome::RefusedAmbiguously, None);
    assert_eq!(second.may_log_in().await, Permission::Go);
}

#[tokio::test(start_paused = true)]
async fn a_silent_or_dead_first_leg_does_not_hold_the_second() {
    let (mut first, mut second) = Companion::pair(&login("a"), &login("a"));
    assert_eq!(first.may_log_in().await, Permission::Go);
    assert_eq!(second.may_log_in().await, Permission::Go, "after the patience");
    let (mut first, mut second) = Companion::pair(&login("a"), &login("a"));
    assert_eq!(first.may_log_in().await, Permission::Go);
    drop(first);
    assert_eq!(second.may_log_in().await, Permission::Go);
}

#[tokio::test(start_paused = true)]
async fn different_secrets_are_independent() {
    let (mut first, mut second) = Companion::pair(&login("a"), &login("b"));
    assert_eq!(first.may_log_in().await, Permission::Go);
    first.login_answered(LoginOutcome::RefusedDefinitively, None);
    assert_eq!(second.may_log_in().await, Permission::Go);
}

#[tokio::test(start_paused = true)]
async fn the_outgoing_leg_waits_for_the_marks_or_the_end_of_the_incoming_leg() {
    let (mut incoming, mut outgoing) = Companion::pair(&login("a"), &login("b"));
    let patience = Duration::from_secs(3600);
    let wait = tokio::spawn(async move {
        outgoing.wait_for_marks(patience).await;
        outgoing
    });
    incoming.marks_taken();
    let mut outgoing = wait.await.expect("ends");
    drop(incoming);
    outgoing.wait_for_marks(patience).await;
}

const TERMS: Terms = Terms { same_login: true, marks: true };
const CODE: FaultCode = FaultCode::AuthInvalidCredentials;

/// Two processes: what a leg of one says, the other one hears, and its own echo.
fn processes() -> [Pact; 2] {
    [Pact::new(Reach::Fleet), Pact::new(Reach::Fleet)]
}

fn telling(pacts: &[Pact; 2], side: PeerSide) -> Option<Tell> {
    let pacts = pacts.clone();
    Some(Arc::new(move |word| pacts.iter().for_each(|pact| pact.hear(side, word))))
}

fn ends(pacts: &[Pact; 2]) -> (Companion, Companion) {
    let [a, b] = pacts;
    let incoming = a.join(PeerSide::Incoming, TERMS, telling(pacts, PeerSide::Incoming));
    (incoming, b.join(PeerSide::Outgoing, TERMS, telling(pacts, PeerSide::Outgoing)))
}

#[tokio::test(start_paused = true)]
async fn over_two_processes_the_outgoing_leg_waits_for_the_incoming_one() {
    let (mut incoming, mut outgoing) = ends(&processes());
    let waiting = tokio::spawn(async move { outgoing.may_log_in().await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert_eq!(incoming.may_log_in().await, Permission::Go);
    incoming.login_answered(LoginOutcome::RefusedDefinitively, Some(CODE));
    assert_eq!(waiting.await.expect("ends"), Permission::KeepBack(CODE));
}

#[tokio::test(start_paused = true)]
async fn an_outgoing_leg_that_lost_patience_keeps_the_incoming_one_from_trying() {
    let pacts = processes();
    let mut outgoing =
        pacts[1].join(PeerSide::Outgoing, TERMS, telling(&pacts, PeerSide::Outgoing));
    assert_eq!(outgoing.may_log_in().await, Permission::Go, "nobody came");
    outgoing.login_answered(LoginOutcome::RefusedDefinitively, Some(CODE));
    outgoing.end();
    let mut incoming = pacts[0].join(PeerSide::Incoming, TERMS, None);
    assert_eq!(incoming.may_log_in().await, Permission::KeepBack(CODE));
}

#[tokio::test(start_paused = true)]
async fn in_one_process_of_a_fleet_whoever_comes_first_goes_first() {
    let pact = Pact::new(Reach::Fleet);
    let mut incoming = pact.join(PeerSide::Incoming, TERMS, None);
    let mut outgoing = pact.join(PeerSide::Outgoing, TERMS, None);
    assert_eq!(outgoing.may_log_in().await, Permission::Go);
    outgoing.login_answered(LoginOutcome::RefusedDefinitively, None);
    assert_eq!(incoming.may_log_in().await, Permission::KeepBack(CODE));
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_is_cut_off_comes_again_and_a_leg_that_ends_does_not() {
    let pacts = processes();
    let (incoming, mut outgoing) = ends(&pacts);
    drop(incoming);
    let began = tokio::time::Instant::now();
    outgoing.wait_for_marks(Duration::from_secs(5)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5), "it may come back");
    let mut incoming =
        pacts[0].join(PeerSide::Incoming, TERMS, telling(&pacts, PeerSide::Incoming));
    incoming.end();
    outgoing.wait_for_marks(Duration::from_secs(5)).await;
    assert_eq!(outgoing.may_log_in().await, Permission::Go);
    assert_eq!(began.elapsed(), Duration::from_secs(5), "its end was told");
}

#[tokio::test(start_paused = true)]
async fn a_second_run_takes_its_marks_anew_and_remembers_a_refusal() {
    let pact = Pact::new(Reach::Fleet);
    let mut first = pact.join(PeerSide::Incoming, TERMS, None);
    first.marks_taken();
    first.login_answered(LoginOutcome::RefusedDefinitively, Some(CODE));
    first.end();
    let second = pact.join(PeerSide::Incoming, TERMS, None);
    let mut outgoing = pact.join(PeerSide::Outgoing, TERMS, None);
    assert_eq!(outgoing.may_log_in().await, Permission::KeepBack(CODE));
    let began = tokio::time::Instant::now();
    outgoing.wait_for_marks(Duration::from_secs(5)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_word_that_comes_again_late_does_not_undo_a_refusal() {
    let pact = Pact::new(Reach::Fleet);
    let mut outgoing = pact.join(PeerSide::Outgoing, TERMS, None);
    let early = PeerWord::LoginAnswered(LoginOutcome::Undecided, None);
    let refused = PeerWord::LoginAnswered(LoginOutcome::RefusedDefinitively, Some(CODE));
    for word in [early, refused, early] {
        pact.hear(PeerSide::Incoming, word);
    }
    assert_eq!(outgoing.may_log_in().await, Permission::KeepBack(CODE));
}

#[test]
fn only_what_somebody_may_wait_for_is_told() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let tell: Tell = {
        let said = Arc::clone(&said);
        Arc::new(move |word| said.lock().expect("not poisoned").push(word))
    };
    let join = |side, terms| Pact::new(Reach::Fleet).join(side, terms, Some(Arc::clone(&tell)));
    let mut incoming = join(PeerSide::Incoming, TERMS);
    incoming.login_answered(LoginOutcome::Accepted, None);
    incoming.marks_taken();
    incoming.marks_taken();
    incoming.end();
    join(PeerSide::Incoming, Terms { marks: false, ..TERMS }).end();
    let mut outgoing = join(PeerSide::Outgoing, TERMS);
    outgoing.login_answered(LoginOutcome::Accepted, None);
    outgoing.end();
    join(PeerSide::Incoming, TERMS).leave();
    join(PeerSide::Outgoing, TERMS).login_answered(LoginOutcome::RefusedDefinitively, Some(CODE));
    let expect = [
        PeerWord::LoginAnswered(LoginOutcome::Accepted, None),
        PeerWord::MarksTaken,
        PeerWord::LegEnded,
        PeerWord::LoginAnswered(LoginOutcome::RefusedDefinitively, Some(CODE)),
    ];
    assert_eq!(*said.lock().expect("not poisoned"), expect);
}
