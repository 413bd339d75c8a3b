//! Reads the store's URL. What is wrong with one is said without quoting it.

use mailfleet_model::Secret;
use std::net::IpAddr;
use tokio_postgres::config::{Host, SslMode};

use crate::error::InvalidUrl;

/// Reads a URL, and settles whether TLS is spoken.
pub(super) fn parse(url: &Secret) -> Result<tokio_postgres::Config, InvalidUrl> {
    let text = str::from_utf8(url.expose()).map_err(|_| InvalidUrl::Postgres)?;
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    let (_, parameters) = text.split_once('?').unwrap_or((text, ""));
    // The driver verifies whatever it is given roots for, so the stricter modes are one.
    let text = text
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require");
    // The parser's own error is dropped: it may quote the URL.
    let parsed: Result<tokio_postgres::Config, _> = text.parse();
    let mut config = parsed.ok().filter(|_| is_url).ok_or(InvalidUrl::Postgres)?;
    if config.get_hosts().is_empty() {
        return Err(InvalidUrl::Postgres);
    }
    if !parameters.split('&').any(|parameter| parameter.starts_with("sslmode=")) {
        let is_here = config.get_hosts().iter().all(is_this_machine);
        config.ssl_mode(if is_here { SslMode::Disable } else { SslMode::Require });
    }
    if config.get_application_name().is_none() {
        config.application_name("mailfleet");
    }
    Ok(config)
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<SslMode, InvalidUrl> {
        parse(&Secret::new(url.as_bytes().to_vec())).map(|config| config.get_ssl_mode())
    }

    #[test]
    fn tls_is_the_rule_away_from_this_machine() {
        let cases = [
            ("postgres://u:p@db.test/fleet", SslMode::Require),
            ("postgres://u:p@127.0.0.1/fleet", SslMode::Disable),
            ("postgresql://u:p@localhost:5433/fleet", SslMode::Disable),
            ("postgres://u:p@localhost,db.test/fleet", SslMode::Require),
            ("postgres://u:p@db.test/fleet?sslmode=disable", SslMode::Disable),
            ("postgres://u:p@db.test/fleet?sslmode=prefer", SslMode::Prefer),
            ("postgres://u:p@127.0.0.1/fleet?a=b&sslmode=verify-full", SslMode::Require),
        ];
        for (url, expect) in cases {
            let url = url.replace("a=b", "connect_timeout=5");
            assert_eq!(mode(&url), Ok(expect), "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_quoted() {
        for bad in ["postgres://", "postgres://canary:canary@h:port/d", "canary", "host=canary"] {
            let error = mode(bad).expect_err("no URL");
            assert_eq!(error, InvalidUrl::Postgres);
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }
}
