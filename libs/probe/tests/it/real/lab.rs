//! The description of the running lab: which servers there are, who may log in.
//!
//! Reads `lab.json` (see deploy/lab/README.md) and nothing else. A lab that is not there is
//! said aloud; one that lacks a server without saying why is an error where it was required.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use mailfleet_probe::tls::Trust;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use super::row::{At, Row};
use crate::facts;

/// A running lab.
pub(super) struct Lab {
    /// Trusts the lab's authority and nothing else.
    pub(super) trust: Trust,
    /// The name in the certificates.
    pub(super) host: String,
    servers: BTreeMap<String, BTreeMap<String, SocketAddr>>,
    users: BTreeMap<String, (String, String)>,
    recipients: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
    missing: BTreeMap<String, String>,
}

impl Lab {
    /// The lab that the environment names; `None`, said aloud, if it names none.
    pub(super) fn from_environment() -> Option<Self> {
        let lab = facts::from_environment()?;
        let ca_file = lab["ca_file"].as_str().expect("the lab names its authority");
        let root = CertificateDer::from_pem_file(ca_file).expect("the authority's certificate");
        let address = |(kind, at): (String, String)| (kind, at.parse().expect("address:port"));
        let servers = lab["servers"].as_object().expect("the lab names its servers");
        Some(Self {
            trust: Trust::only([root]).expect("a root"),
            host: lab["host"].as_str().expect("the lab names its host").to_owned(),
            servers: servers
                .iter()
                .map(|(name, kinds)| (name.clone(), texts(kinds).map(address).collect()))
                .collect(),
            users: lab["users"].as_object().into_iter().flatten().map(user).collect(),
            recipients: texts(&lab["recipients"]).collect(),
            tokens: texts(&lab["tokens"]).collect(),
            missing: texts(&lab["missing"]).collect(),
        })
    }

    /// Why a row cannot run here, if it cannot.
    pub(super) fn missing(&self, row: &Row) -> Option<String> {
        row.places().find(|at| self.find(at).is_none()).map(|at| {
            let group = at.server.split('_').next().unwrap_or(at.server);
            let why = self.missing.get(at.server).or_else(|| self.missing.get(group));
            match why {
                Some(why) => format!("no {}: {why}", at.server),
                None if facts::is_required() => {
                    panic!("the lab has no {} {}, and does not say why", at.server, at.kind)
                }
                None => format!("the lab has no {} {}", at.server, at.kind),
            }
        })
    }

    /// Where a server's endpoint listens.
    pub(super) fn address(&self, at: &At) -> SocketAddr {
        self.find(at).expect("looked for before the row began")
    }

    fn find(&self, at: &At) -> Option<SocketAddr> {
        self.servers.get(at.server)?.get(at.kind).copied()
    }

    /// A user's mail address, which is the login name too, and password.
    pub(super) fn user(&self, name: &str) -> (&str, &str) {
        let (address, password) = self.users.get(name).expect("a user of the lab");
        (address, password)
    }

    /// The address of a special recipient, or of a user.
    pub(super) fn recipient(&self, name: &str) -> &str {
        self.recipients.get(name).map_or_else(|| self.user(name).0, String::as_str)
    }

    /// An access token of `user001`.
    pub(super) fn token(&self, name: &str) -> &str {
        self.tokens.get(name).expect("a token of the lab")
    }
}

fn texts(object: &Value) -> impl Iterator<Item = (String, String)> {
    let pairs = object.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.as_str().expect("a text").to_owned()))
}

fn user((name, fields): (&String, &Value)) -> (String, (String, String)) {
    let field = |key: &str| fields[key].as_str().expect("address and password").to_owned();
    (name.clone(), (field("address"), field("password")))
}
