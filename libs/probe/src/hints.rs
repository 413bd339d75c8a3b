//! Suggestions that follow from a refused login: what to change beside the endpoint.
//!
//! Apart from the sessions, since all of them meet the same refusals. Only reads what the
//! leg has found; nothing is probed and nothing of the password is told but its shape.

use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::{Credential, FactKind, Fault, FaultCode, Login, Suggestion};

/// What to suggest after a refused login.
pub(crate) fn after_refusal(login: &Login, fault: &Fault) -> Vec<Suggestion> {
    let help_url = fault.evidence.fact(FactKind::HelpUrl).map(str::to_owned);
    let suggest = |reason, proof, help_url| Suggestion {
        leg: fault.leg,
        endpoint: None,
        reason,
        proof,
        help_url,
    };
    let mut found = Vec::new();
    if let Credential::Password(secret) = &*login.credential
        && is_spaced_app_password(secret.expose())
    {
        found.push(suggest(SuggestionReason::PasswordSpaces, SuggestionProof::Input, None));
    }
    let reason = match fault.code {
        FaultCode::AuthAppPasswordRequired => Some(SuggestionReason::AppPassword),
        FaultCode::ProtocolDisabledForMailbox | FaultCode::SmtpAuthDisabled => {
            Some(SuggestionReason::SwitchOnProtocol)
        }
        _ => None,
    };
    if let Some(proof) = wants_another_name(login, fault) {
        let reason = SuggestionReason::UsernameForm;
        found.push(suggest(reason, proof, help_url.clone()));
    }
    // Without a page of the provider it would only repeat the fault.
    if let (Some(reason), Some(url)) = (reason, help_url) {
        found.push(suggest(reason, SuggestionProof::Published, Some(url)));
    }
    found
}

/// Whether the user name has the wrong form, and how that is known: the server asks for an
/// address and there is none, or the provider is known to refuse other names in these words.
fn wants_another_name(login: &Login, fault: &Fault) -> Option<SuggestionProof> {
    const BARE: [FaultCode; 2] =
        [FaultCode::AuthInvalidCredentials, FaultCode::AuthRejectedUnspecified];
    let is_known_there = BARE.contains(&fault.code)
        && fault.evidence.fact(FactKind::Provider).is_some()
        && fault.evidence.fact(FactKind::HelpUrl).is_some()
        && fault.alternatives.first() == Some(&FaultCode::AuthUsernameFormat);
    if fault.code == FaultCode::AuthUsernameFormat && !login.username.contains('@') {
        Some(SuggestionProof::Input)
    } else if is_known_there {
        Some(SuggestionProof::Published)
    } else {
        None
    }
}

/// Four groups of four small letters, as Google shows its app passwords. The spaces are
/// for the eye and no part of the password.
fn is_spaced_app_password(secret: &[u8]) -> bool {
    let secret = secret.trim_ascii();
    let groups: Vec<&[u8]> = secret.split(|byte| *byte == b' ').collect();
    let is_group = |group: &&[u8]| group.len() == 4 && group.iter().all(u8::is_ascii_lowercase);
    groups.len() == 4 && groups.iter().all(is_group)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailfleet_model::{Confidence, Evidence, Leg, Secret};

    use super::*;

    fn login(user: &str, password: &str) -> Login {
        let secret = Secret::new(password.as_bytes().to_vec());
        Login::new(user, Arc::new(Credential::Password(secret))).expect("a login")
    }

    fn reasons(password: &str, code: FaultCode, url: Option<&str>) -> Vec<SuggestionReason> {
        let evidence = url
            .map_or_else(Evidence::default, |url| Evidence::default().with(FactKind::HelpUrl, url));
        let fault = Fault::new(code, Leg::Smtp).with_evidence(evidence);
        after_refusal(&login("user@example.test", password), &fault)
            .into_iter()
            .map(|found| found.reason)
            .collect()
    }

    #[test]
    fn spaces_of_an_app_password_are_pointed_at() {
        let code = FaultCode::AuthInvalidCredentials;
        let spaces = [SuggestionReason::PasswordSpaces];
        assert_eq!(reasons("abcd efgh ijkl mnop", code, None), spaces);
        for other in ["abcdefghijklmnop", "correct horse battery staple", "ABCD efgh ijkl mnop"] {
            assert_eq!(reasons(other, code, None), []);
        }
    }

    #[test]
    fn the_provider_s_page_is_handed_on() {
        let url = Some("https://provider.example/app-passwords");
        let app = FaultCode::AuthAppPasswordRequired;
        assert_eq!(reasons("x", app, url), [SuggestionReason::AppPassword]);
        assert_eq!(reasons("x", app, None), []);
        let off = FaultCode::ProtocolDisabledForMailbox;
        assert_eq!(reasons("x", off, url), [SuggestionReason::SwitchOnProtocol]);
        assert_eq!(reasons("x", FaultCode::AuthAccountLocked, url), []);
    }

    #[test]
    fn another_user_name_is_suggested_where_server_or_provider_wants_one() {
        let found = |user: &str, fault: &Fault| -> Vec<_> {
            let found = after_refusal(&login(user, "x"), fault);
            found.into_iter().map(|found| (found.reason, found.proof)).collect()
        };
        let form = SuggestionReason::UsernameForm;
        let asked = Fault::new(FaultCode::AuthUsernameFormat, Leg::Imap);
        assert_eq!(found("taro", &asked), [(form, SuggestionProof::Input)]);
        assert_eq!(found("taro@example.test", &asked), []);
        let evidence = Evidence::default()
            .with(FactKind::Provider, "Example")
            .with(FactKind::HelpUrl, "https://provider.example/login");
        let bare = |evidence| {
            Fault::new(FaultCode::AuthRejectedUnspecified, Leg::Imap)
                .but_maybe(Confidence::Ambiguous, [FaultCode::AuthUsernameFormat])
                .with_evidence(evidence)
        };
        let published = [(form, SuggestionProof::Published)];
        assert_eq!(found("taro@example.test", &bare(evidence)), published);
        assert_eq!(found("taro@example.test", &bare(Evidence::default())), []);
    }
}
