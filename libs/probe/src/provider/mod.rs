//! Knows mailbox providers: which hosts are theirs, what they want before a login works,
//! and where they explain it.
//!
//! Facts only; `classify` orders its alternatives by them, and suggestions carry their
//! links. Never decides where to connect. A provider without a row is an unknown one,
//! which is the usual case.

mod table;

use mailfleet_model::FaultCode;

pub use table::PROVIDERS;

/// How a provider treats the account's own password in mail programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PasswordLogin {
    /// The account's password works.
    Accepted,
    /// An app password is needed once two-step verification is on.
    AppPasswordWithTwoFactor,
    /// Only an app password (also called authorization code) works.
    AppPasswordOnly,
    /// No password works; only a token.
    TokenOnly,
    /// There is no IMAP, POP3 or SMTP for mail programs at all.
    Unsupported,
}

/// Whether a missing STARTTLS at this provider is a sign of interference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StarttlsOffer {
    /// It is offered on every plaintext port.
    Always,
    /// Not known.
    Unknown,
}

/// A mailbox provider.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name for people.
    pub name: &'static str,
    /// Host names of its mail servers, and parents of such: `gmail.com` covers `imap.gmail.com`.
    pub hosts: &'static [&'static str],
    /// Domains of its mail addresses.
    pub domains: &'static [&'static str],
    /// Fragments of its greetings, lower case, for vanity host names.
    pub greetings: &'static [&'static str],
    /// How passwords are treated.
    pub password: PasswordLogin,
    /// Whether STARTTLS is always offered.
    pub starttls: StarttlsOffer,
    /// What a login refusal without a reason means there, the likeliest first.
    pub refusals: &'static [FaultCode],
    /// Where app passwords are explained.
    pub app_password_url: Option<&'static str>,
    /// Where IMAP, POP or SMTP is switched on, or foreign access is allowed.
    pub access_url: Option<&'static str>,
    /// Where the provider explains mail programs in general.
    pub help_url: Option<&'static str>,
}

impl Provider {
    /// The page that helps with a fault, if the provider has one.
    #[must_use]
    pub fn help_for(&self, code: FaultCode) -> Option<&'static str> {
        const SWITCHES: [FaultCode; 4] = [
            FaultCode::ProtocolDisabledForMailbox,
            FaultCode::SmtpAuthDisabled,
            FaultCode::ProviderRequiresPreparation,
            FaultCode::GeoBlocked,
        ];
        const BARE: [FaultCode; 2] =
            [FaultCode::AuthInvalidCredentials, FaultCode::AuthRejectedUnspecified];
        let likeliest = self.refusals.first().copied().filter(|_| BARE.contains(&code));
        let meant = likeliest.unwrap_or(code);
        if meant == FaultCode::AuthAppPasswordRequired {
            self.app_password_url.or(self.help_url)
        } else if SWITCHES.contains(&meant) {
            self.access_url.or(self.help_url)
        } else {
            self.help_url.or(self.access_url)
        }
    }
}

/// The provider that runs a mail server, by host name.
///
/// Upper case and a trailing dot do not matter.
#[must_use]
pub fn by_host(host: &str) -> Option<&'static Provider> {
    find(host, |provider| provider.hosts)
}

/// The provider of a mail address, by its domain. Says nothing about other domains
/// that a provider hosts.
#[must_use]
pub fn by_domain(domain: &str) -> Option<&'static Provider> {
    find(domain, |provider| provider.domains)
}

/// The provider that a greeting gives away.
#[must_use]
pub fn by_greeting(greeting: &str) -> Option<&'static Provider> {
    let greeting = greeting.to_lowercase();
    PROVIDERS.iter().find(|p| p.greetings.iter().any(|sign| greeting.contains(sign)))
}

/// The provider that runs a mail server: by its host name, else by its greeting, which
/// also tells for vanity names.
#[must_use]
pub fn provider_for(host: &str, greeting: Option<&str>) -> Option<&'static Provider> {
    by_host(host).or_else(|| greeting.and_then(by_greeting))
}

/// Finds the row with the longest name that is `name` or a parent of it.
fn find(
    name: &str,
    names: impl Fn(&'static Provider) -> &'static [&'static str],
) -> Option<&'static Provider> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let mut rest = name.as_str();
    loop {
        if let Some(provider) = PROVIDERS.iter().find(|p| names(p).contains(&rest)) {
            return Some(provider);
        }
        (_, rest) = rest.split_once('.')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_matched_by_whole_labels() {
        #[track_caller]
        fn check(host: &str, expect: Option<&str>) {
            assert_eq!(by_host(host).map(|p| p.name), expect, "{host}");
        }
        check("imap.gmail.com", Some("Gmail"));
        check("SMTP.Office365.com.", Some("Microsoft 365"));
        check("imap.mail.yahoo.co.jp", Some("Yahoo! JAPAN Mail"));
        check("imap.mail.yahoo.com", Some("Yahoo Mail"));
        check("notgmail.com", None);
        check("mail.example.com", None);
        check("", None);
    }

    #[test]
    fn vanity_hosts_are_told_by_their_greeting() {
        let greeting = "* OK Gimap ready for requests from 192.0.2.1";
        assert_eq!(provider_for("mail.example.com", Some(greeting)).map(|p| p.name), Some("Gmail"));
        assert_eq!(provider_for("mail.example.com", Some("* OK ready")), None);
    }

    #[test]
    fn no_name_belongs_to_two_providers_and_links_are_https() {
        let mut seen = std::collections::BTreeSet::new();
        for provider in PROVIDERS {
            for host in provider.hosts {
                assert!(seen.insert(("host", *host)), "{host}");
            }
            for domain in provider.domains {
                assert!(seen.insert(("domain", *domain)), "{domain}");
            }
            let links = [provider.app_password_url, provider.access_url, provider.help_url];
            for link in links.into_iter().flatten() {
                assert!(link.starts_with("https://"), "{link}");
            }
            assert!(
                !provider.hosts.is_empty() || !provider.domains.is_empty(),
                "{}",
                provider.name
            );
        }
    }
}
