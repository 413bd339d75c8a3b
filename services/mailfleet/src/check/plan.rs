//! From options to a plan: every option judged, all errors at once.
//!
//! Reads no secret and opens no connection; only the files of `--ca` are read. What is left
//! after this can fail for no reason that the caller could have seen.

use std::ffi::OsString;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use mailfleet_model::tls::CertificatePolicy;
use mailfleet_model::validation::{
    ARRIVAL_TIMEOUT_RANGE, BUDGET_RANGE, DEFAULT_ARRIVAL_TIMEOUT, DEFAULT_BUDGET,
};
use mailfleet_model::{EmailAddress, Endpoint, Protocol, TestMail, Violations};

use super::roots::{self, Root};
use crate::args::{CheckArgs, ServerArgs};
use crate::{config, span};

/// What the options ask for.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The mailbox.
    pub(crate) mailbox: EmailAddress,
    /// Incoming endpoints, IMAP first.
    pub(crate) incoming: Vec<Endpoint>,
    /// Outgoing endpoint.
    pub(crate) outgoing: Option<Endpoint>,
    /// User name for the incoming endpoints.
    pub(crate) username: String,
    /// User name for the outgoing endpoint.
    pub(crate) smtp_username: String,
    /// Where the secret comes from; `None` where only the outgoing endpoint has one.
    pub(crate) secret: Option<SecretSource>,
    /// Where the outgoing endpoint's own secret comes from.
    pub(crate) smtp_secret: Option<SecretSource>,
    /// What the outgoing leg does after the login.
    pub(crate) test_mail: TestMail,
    /// Time for the legs.
    pub(crate) budget: Duration,
    /// Time to look for the test mail.
    pub(crate) arrival_timeout: Duration,
    /// How certificate problems are taken.
    pub(crate) certificates: CertificatePolicy,
    /// Authorities from `--ca`.
    pub(crate) roots: Vec<Root>,
    /// Where the check runs.
    pub(crate) place: Place,
}

/// Where the check runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this process.
    Here {
        /// Networks lifted from the target guard.
        allow: Vec<IpNet>,
        /// Source addresses; none: those of the configuration.
        egress: Vec<IpAddr>,
        /// Configuration file.
        config: Option<PathBuf>,
    },
    /// At a gateway.
    Gateway(String),
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// A password in this environment variable.
    PasswordEnv(String),
    /// An access token in this environment variable.
    TokenEnv(String),
    /// A password on standard input, up to its end.
    Stdin,
    /// A password typed at the terminal.
    Prompt,
}

/// What standard input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// A terminal: somebody can be asked.
    Terminal,
    /// A pipe, a file or nothing.
    Other,
}

/// Judges the options. `variable` looks up the environment, only to see what is set.
///
/// # Errors
/// Every option that is wrong.
pub(crate) fn plan(
    args: &CheckArgs,
    input: Input,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Plan, Violations> {
    let mut wrong = Violations::default();
    let judge = Judge { args, variable: &variable, input };
    let mailbox = wrong.check("ADDRESS", args.address.parse::<EmailAddress>());
    let endpoints = judge.endpoints(mailbox.as_ref(), &mut wrong);
    let (secret, smtp_secret) = judge.secrets(&mut wrong);
    let name = |given: &Option<String>| given.clone();
    let address = mailbox.as_ref().map(ToString::to_string).unwrap_or_default();
    for (option, given) in
        [("--username", &args.username), ("--smtp-username", &args.smtp_username)]
    {
        if given.as_deref().is_some_and(|name| name.is_empty() || name.contains(char::is_control)) {
            wrong.add(option, "is empty or contains a control character");
        }
    }
    let username = name(&args.username).unwrap_or(address);
    let plan = Plan {
        smtp_username: name(&args.smtp_username).unwrap_or_else(|| username.clone()),
        username,
        secret,
        smtp_secret,
        test_mail: judge.test_mail(&mut wrong),
        budget: time("--timeout", &args.timeout, BUDGET_RANGE, DEFAULT_BUDGET, &mut wrong),
        arrival_timeout: time(
            "--arrival-timeout",
            &args.arrival_timeout,
            ARRIVAL_TIMEOUT_RANGE,
            DEFAULT_ARRIVAL_TIMEOUT,
            &mut wrong,
        ),
        certificates: match args.trust.allow_insecure_cert {
            true => CertificatePolicy::AllowInsecure,
            false => CertificatePolicy::Strict,
        },
        roots: roots::read("--ca", &args.trust.ca, &mut wrong),
        place: judge.place(&mut wrong),
        incoming: endpoints.0,
        outgoing: endpoints.1,
        // An address that cannot be read is in `wrong`, so the plan is not used.
        mailbox: match mailbox {
            Some(mailbox) => mailbox,
            None => return Err(wrong),
        },
    };
    if wrong.is_empty() { Ok(plan) } else { Err(wrong) }
}

struct Judge<'a> {
    args: &'a CheckArgs,
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    input: Input,
}

impl Judge<'_> {
    fn endpoints(
        &self,
        mailbox: Option<&EmailAddress>,
        wrong: &mut Violations,
    ) -> (Vec<Endpoint>, Option<Endpoint>) {
        let ServerArgs { imap, pop3, smtp } = &self.args.servers;
        if imap.is_none() && pop3.is_none() && smtp.is_none() {
            let domain = mailbox.map_or("example.com", EmailAddress::domain);
            wrong.add(
                "servers",
                format!(
                    "name at least one of --imap, --pop3 and --smtp, for example\n\
                     --imap imap.{domain} --smtp smtp.{domain}\n\
                     (the help pages of the mail provider say which servers it has)"
                ),
            );
        }
        let mut read = |option: &str, protocol, text: &Option<String>| {
            let text = text.as_deref()?;
            wrong.check(option, Endpoint::parse(protocol, text))
        };
        let incoming = [read("--imap", Protocol::Imap, imap), read("--pop3", Protocol::Pop3, pop3)];
        let outgoing = read("--smtp", Protocol::Smtp, smtp);
        if smtp.is_none() {
            let only = [
                ("--smtp-username", self.args.smtp_username.is_some()),
                ("--smtp-password-env", self.args.smtp_password_env.is_some()),
                ("--test-mail", self.args.test_mail.is_some()),
            ];
            for (option, _) in only.into_iter().filter(|(_, given)| *given) {
                wrong.add(option, "needs --smtp SERVER");
            }
        }
        (incoming.into_iter().flatten().collect(), outgoing)
    }

    fn test_mail(&self, wrong: &mut Violations) -> TestMail {
        match self.args.test_mail.as_deref() {
            None if self.args.no_test_mail => TestMail::LoginOnly,
            None => TestMail::Envelope,
            Some("self") => TestMail::ToSelf,
            Some(to) => {
                wrong.check("--test-mail", to.parse()).map_or(TestMail::Envelope, TestMail::To)
            }
        }
    }

    /// The sources of the common secret and of the outgoing one.
    fn secrets(&self, wrong: &mut Violations) -> (Option<SecretSource>, Option<SecretSource>) {
        let args = self.args;
        if args.password.is_some() {
            wrong.add(
                "--password",
                "a password is never taken as an argument, since other users can see the\n\
                 arguments of every process; use --password-stdin or --password-env VAR, or\n\
                 leave it out to be asked (if you just typed it here, consider it known)",
            );
        }
        let smtp = args.smtp_password_env.clone().map(SecretSource::PasswordEnv);
        let only_smtp =
            args.servers.imap.is_none() && args.servers.pop3.is_none() && smtp.is_some();
        let common = match (&args.oauth_token_env, &args.password_env, args.password_stdin) {
            // A token given beside a password is the more deliberate one.
            (Some(name), ..) => Some(SecretSource::TokenEnv(name.clone())),
            (None, Some(name), false) => Some(SecretSource::PasswordEnv(name.clone())),
            (None, None, true) => Some(SecretSource::Stdin),
            (None, Some(_), true) => {
                wrong.add("--password-stdin", "cannot be given together with --password-env");
                None
            }
            (None, None, false) if only_smtp || args.password.is_some() => None,
            (None, None, false) if self.input == Input::Terminal => Some(SecretSource::Prompt),
            (None, None, false) => {
                wrong.add(
                    "password",
                    "give --password-env VAR, --password-stdin or --oauth-token-env VAR;\n\
                     nobody can be asked for it, since standard input is not a terminal",
                );
                None
            }
        };
        for (option, source) in
            [(option_of(common.as_ref()), &common), ("--smtp-password-env", &smtp)]
        {
            self.is_set(option, source.as_ref(), wrong);
        }
        (common, smtp)
    }

    fn is_set(&self, option: &str, source: Option<&SecretSource>, wrong: &mut Violations) {
        let Some(SecretSource::PasswordEnv(name) | SecretSource::TokenEnv(name)) = source else {
            return;
        };
        match (self.variable)(name) {
            None => wrong.add(option, format!("the environment variable {name} is not set")),
            Some(value) if value.is_empty() => {
                wrong.add(option, format!("the environment variable {name} is empty"));
            }
            Some(_) => {}
        }
    }

    fn place(&self, wrong: &mut Violations) -> Place {
        let CheckArgs { gateway, allow_target, egress, config, .. } = self.args;
        if let Some(url) = gateway {
            let here = [
                ("--allow-target", !allow_target.is_empty(), "targets.allow"),
                ("--egress", !egress.is_empty(), "egress.pool"),
                ("--config", config.is_some(), "--config"),
            ];
            for (option, _, there) in here.into_iter().filter(|(_, given, _)| *given) {
                wrong.add(
                    option,
                    format!("is for checks in this process; the gateway has its own {there}"),
                );
            }
            if !(url.starts_with("http://") || url.starts_with("https://"))
                || url.parse::<tonic::transport::Uri>().is_err()
            {
                wrong.add("--gateway", "is not a URL such as http://127.0.0.1:7443");
            }
            return Place::Gateway(url.clone());
        }
        let mut allow = Vec::new();
        for text in allow_target {
            match config::network(text.trim()) {
                Some(network) => allow.push(network),
                None => wrong
                    .add("--allow-target", format!("{text:?} is not a network such as 10.0.0.0/8")),
            }
        }
        let mut addresses = Vec::new();
        for text in egress {
            match text.trim().parse() {
                Ok(address) => addresses.push(address),
                Err(_) => wrong.add("--egress", format!("{text:?} is not an IP address")),
            }
        }
        Place::Here { allow, egress: addresses, config: config.clone() }
    }
}

fn option_of(source: Option<&SecretSource>) -> &'static str {
    match source {
        Some(SecretSource::TokenEnv(_)) => "--oauth-token-env",
        _ => "--password-env",
    }
}

/// Reads a duration within its range.
fn time(
    option: &str,
    given: &Option<String>,
    range: RangeInclusive<Duration>,
    default: Duration,
    wrong: &mut Violations,
) -> Duration {
    let Some(text) = given else { return default };
    match span::parse(text) {
        Ok(time) if range.contains(&time) => time,
        Ok(_) => {
            let (shortest, longest) = (span::write(*range.start()), span::write(*range.end()));
            wrong.add(option, format!("{text:?} is not between {shortest} and {longest}"));
            default
        }
        Err(error) => {
            wrong.add(option, format!("{text:?} {error}"));
            default
        }
    }
}
