//! What two legs of one job tell each other while both run.
//!
//! Two things only: the answer to a login, so that a password which was just refused
//! is not sent a second time; and that the incoming leg has noted where new mail will
//! appear, so that the test mail is not sent too early. A leg never waits long for
//! the other one, and a leg that ends frees whoever waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailfleet_model::leg::LoginOutcome;
use mailfleet_model::{FaultCode, Login};
use tokio::sync::watch;
use tokio::time::timeout;

/// Longest wait for the other leg's answer to the same login.
pub const LOGIN_PATIENCE: Duration = Duration::from_secs(8);

/// One leg's end of the pair. Dropping it tells the other leg that nothing more comes.
#[derive(Debug)]
pub struct Companion {
    shared: Option<Arc<Shared>>,
    /// Whether this end holds the right to log in first.
    holds_login: bool,
    marks: Option<watch::Sender<bool>>,
    await_marks: Option<watch::Receiver<bool>>,
}

/// What a leg may do with its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Send it.
    Go,
    /// Keep it back: the other leg just saw the same login refused, by this code.
    KeepBack(FaultCode),
}

#[derive(Debug)]
struct Shared {
    /// What is known of the one login; only where both legs use the same.
    login: watch::Sender<LoginState>,
    claim: Mutex<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoginState {
    Open,
    Answered(LoginOutcome, Option<FaultCode>),
}

impl Companion {
    /// A leg without another one.
    #[must_use]
    pub fn alone() -> Self {
        Self { shared: None, holds_login: false, marks: None, await_marks: None }
    }

    /// The ends for an incoming and an outgoing leg.
    #[must_use]
    pub fn pair(incoming: &Login, outgoing: &Login) -> (Self, Self) {
        let shared = incoming.same_as(outgoing).then(|| {
            Arc::new(Shared {
                login: watch::Sender::new(LoginState::Open),
                claim: Mutex::new(false),
            })
        });
        let (marks, await_marks) = watch::channel(false);
        let end = |marks, await_marks| Self {
            shared: shared.clone(),
            holds_login: false,
            marks,
            await_marks,
        };
        (end(Some(marks), None), end(None, Some(await_marks)))
    }

    /// Waits until this leg may log in: at once, or after the other leg's answer to the
    /// same login. After [`LOGIN_PATIENCE`] it goes ahead.
    ///
    /// Cancel-safe.
    pub async fn may_log_in(&mut self) -> Permission {
        let Some(shared) = self.shared.clone() else { return Permission::Go };
        {
            let mut claimed = lock(&shared.claim);
            if !*claimed {
                *claimed = true;
                self.holds_login = true;
            }
        }
        if self.holds_login {
            return Permission::Go;
        }
        let mut login = shared.login.subscribe();
        let answered = |state: &LoginState| *state != LoginState::Open;
        match timeout(LOGIN_PATIENCE, login.wait_for(answered)).await {
            Ok(Ok(state)) => permission(*state),
            Ok(Err(_)) | Err(_) => Permission::Go,
        }
    }

    /// Tells the other leg what came of the login.
    pub fn login_answered(&mut self, outcome: LoginOutcome, code: Option<FaultCode>) {
        if let Some(shared) = self.shared.as_ref().filter(|_| self.holds_login) {
            shared.login.send_replace(LoginState::Answered(outcome, code));
        }
    }

    /// Tells the outgoing leg that the marks are taken (or never will be).
    pub fn marks_taken(&mut self) {
        if let Some(marks) = &self.marks {
            marks.send_replace(true);
        }
    }

    /// Waits until the incoming leg has taken its marks or has ended, at most `patience`.
    ///
    /// Cancel-safe.
    pub async fn wait_for_marks(&mut self, patience: Duration) {
        if let Some(marks) = &mut self.await_marks {
            // Either outcome, and a dropped sender too, means: go on.
            let _ = timeout(patience, marks.wait_for(|taken| *taken)).await;
        }
    }
}

impl Drop for Companion {
    /// A leg that ends without having logged in leaves the way to the other one.
    fn drop(&mut self) {
        if let Some(shared) = self.shared.as_ref().filter(|_| self.holds_login) {
            shared.login.send_if_modified(|state| {
                let open = *state == LoginState::Open;
                if open {
                    *state = LoginState::Answered(LoginOutcome::NotTried, None);
                }
                open
            });
        }
    }
}

fn permission(state: LoginState) -> Permission {
    match state {
        LoginState::Answered(LoginOutcome::RefusedDefinitively, code) => {
            Permission::KeepBack(code.unwrap_or(FaultCode::AuthInvalidCredentials))
        }
        LoginState::Open
        | LoginState::Answered(
            LoginOutcome::NotTried
            | LoginOutcome::Accepted
            | LoginOutcome::RefusedAmbiguously
            | LoginOutcome::Undecided,
            _,
        ) => Permission::Go,
    }
}

/// A poisoned lock still guards a plain flag.
fn lock(mutex: &Mutex<bool>) -> MutexGuard<'_, bool> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
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
}
