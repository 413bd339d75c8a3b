//! Tells what a reply states from what it warns of and what it advises.
//!
//! `Invalid credentials. Your account will be locked after 5 attempts.` is about a
//! password; no account is locked yet. `Login failed. If you use two-step verification,
//! create an app password.` states nothing but a failure. What is advised may still be the
//! best hint there is, so it is asked after the statements, and believed less. So are the
//! words of links (`https://help.example/blocked-account`). A warning about what will
//! happen says nothing about what has.

use super::fold::{AnyOf, Folded};

/// Words of what has not happened yet.
const WARNING: &str = "will be locked|will be blocked|will be suspended|will be disabled|will be banned|will get|will result|will lead|would be locked|lead to|leads to|to avoid being|<or your account|wird ihr|wird das konto|wird der zugang|werden sie gesperrt|fuhrt zu|fuhren zu|sera bloque|sera verrouill|sera suspendu|sera bloquead|se bloqueara|sera suspens|verra bloccat|sara bloccat|zostanie zablokowan|bude zablokovan|bude uzamcen|будет заблокирован|буде заблокован|将被|将会被|会被锁|会被冻|以免|ロックされます|停止されます|制限されます|ロックする場合|ロックされることが|잠깁니다|차단됩니다|정지됩니다|잠길 수";

/// Words of what somebody may look at or do.
const ADVICE: &str = "<if you |<if your |<if this |<if the |<in case |<please check|<please verify|<please make sure|<please ensure|<make sure|<ensure |<check that|<check your|<check whether|<call the |<see our |<did you|<have you|<note that|<remember|forgot|contact the postmaster if|contact postmaster if|falls sie|wenn sie|sollten sie|prufen sie|bitte prufen|si vous|verifiez|si ha |si usted|si olvid|compruebe|verifique|se voce|caso voce|se hai|se ha |verifica |controlla|jesli |sprawdz|pokud |zkontroluj|если вы|если у вас|проверьте|якщо ви|als u |controleer|如果您|如果你|如您|若您|请检查|请核对|お忘れ|場合は|ご確認ください|확인해|경우";

/// The parts of a text, ready for comparison.
pub(super) struct Clauses {
    /// What has happened, without advice and warnings; `None` where that is all or nothing.
    pub(super) stated: Option<Folded>,
    /// All but warnings.
    pub(super) told: Folded,
}

/// Tells the clauses of a text apart. A text of a single clause is all statement.
pub(super) fn tell_apart(words: &Folded) -> Clauses {
    let clauses: Vec<_> = words.sentences().collect();
    let without = |kinds: &[&AnyOf]| -> Vec<&Folded> {
        clauses.iter().filter(|c| !kinds.iter().any(|kind| kind.occurs_in(c))).collect()
    };
    let (warning, advice) = (&*WARNINGS, &*ADVICES);
    let told = without(&[warning]);
    let told = if told.is_empty() { words.clone() } else { Folded::joined(&told) };
    let stated = Folded::joined(&without(&[warning, advice])).without_links();
    let is_part = !stated.is_empty() && stated != *words;
    Clauses { stated: is_part.then_some(stated), told }
}

static WARNINGS: std::sync::LazyLock<AnyOf> = std::sync::LazyLock::new(|| AnyOf::compile(WARNING));
static ADVICES: std::sync::LazyLock<AnyOf> = std::sync::LazyLock::new(|| AnyOf::compile(ADVICE));

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, stated: Option<&str>, told: &str) {
        let clauses = tell_apart(&Folded::new(text));
        assert_eq!(clauses.stated.as_ref().map(Folded::as_str), stated, "{text}");
        assert_eq!(clauses.told.as_str(), told, "{text}");
    }

    #[test]
    fn warnings_and_advice_are_told_from_statements() {
        check("Login failed.", None, "login failed.");
        check(
            "Invalid credentials. Your account will be locked soon!",
            Some("invalid credentials."),
            "invalid credentials.",
        );
        check(
            "Login failed. If you use 2FA, create an app password.",
            Some("login failed."),
            "login failed. if you use 2fa, create an app password.",
        );
        check(
            "No. See https://example.com/blocked-account",
            Some("no. see"),
            "no. see https://example.com/blocked-account",
        );
        check("密码错误,连续输错将被锁定", Some("密码错误,"), "密码错误,");
        check("If you see this, check your settings", None, "if you see this, check your settings");
    }
}
