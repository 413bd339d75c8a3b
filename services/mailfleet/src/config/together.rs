//! Rules over more than one key: what is wrong only beside something else.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mailfleet_model::fleet::{GroupKey, PoolName, TenantId, ZoneName};

use super::pools::{DEFAULT_POOL, server};
use super::settings::{Values, column};
use super::value::Value;
use super::{Configuration, Problem};

/// Notes everything that does not fit together.
pub(super) fn check(configuration: &Configuration, problems: &mut Vec<Problem>) {
    let mut checks = Checks { configuration, values: Values(configuration), problems };
    checks.open_door();
    checks.tls_files();
    checks.names();
    checks.pools();
    checks.events();
    if checks.problems.is_empty() {
        checks.zones();
    }
}

pub(super) struct Checks<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) values: Values<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Checks<'_> {
    pub(super) fn wrong(&mut self, key: &'static str, place: &str, description: impl Into<String>) {
        self.problems.push(Problem {
            key: format!("{key}{place}"),
            origin: self.configuration.effective(key).origin.clone(),
            description: description.into(),
        });
    }

    /// Without tenants nobody is asked for a token.
    fn open_door(&mut self) {
        let is_loopback = self.values.listen("gateway.listen").ip().is_loopback();
        if !is_loopback && self.values.rows("tenant").is_empty() {
            let why = "is not a loopback address: without any [[tenant]] nobody is asked for a \
                       token, so the gateway listens on loopback only, such as \"127.0.0.1:7443\"";
            self.wrong("gateway.listen", "", why);
        }
    }

    fn tls_files(&mut self) {
        let set = |checks: &Self, key| checks.values.path(key).is_some();
        let (cert, key) = (set(self, "gateway.tls_cert"), set(self, "gateway.tls_key"));
        match (cert, key) {
            (true, false) => self.wrong("gateway.tls_key", "", "is missing beside tls_cert"),
            (false, true) => self.wrong("gateway.tls_cert", "", "is missing beside tls_key"),
            (true, true) | (false, false) => {}
        }
        if set(self, "gateway.client_ca") && !(cert && key) {
            self.wrong("gateway.client_ca", "", "needs tls_cert and tls_key beside it");
        }
    }

    /// Names end up in queue names and rows, so their alphabet is small.
    fn names(&mut self) {
        let wrong = mailfleet_model::fleet::InvalidName;
        let named = |text: Option<String>| text.is_some_and(|t| t.parse::<ZoneName>().is_ok());
        if !named(self.values.text("worker.zone")) {
            self.wrong("worker.zone", "", wrong.to_string());
        }
        let short = |text: String| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            text.len() <= 32 && text.bytes().all(plain)
        };
        if !self.values.text("broker.namespace").is_some_and(short) {
            self.wrong("broker.namespace", "", "is not 1 to 32 of a-z, 0-9 and '-'");
        }
        self.column("egress.pool", "name", |text| text.parse::<PoolName>().is_ok());
        self.column("egress.pool", "zone", |text| text.parse::<ZoneName>().is_ok());
        self.column("fleet.zone", "name", |text| text.parse::<ZoneName>().is_ok());
        self.column("tenant", "name", |text| text.parse::<TenantId>().is_ok());
        self.column("tenant", "pool", |text| text.parse::<PoolName>().is_ok());
        self.column("limits.group", "match", |text| GroupKey::new(text).is_ok());
        self.unique("egress.pool", "name");
        self.unique("fleet.zone", "name");
        self.unique("limits.group", "match");
    }

    fn column(&mut self, key: &'static str, name: &str, good: impl Fn(&str) -> bool) {
        for index in 0..self.values.rows(key).len() {
            let text = self.values.rows(key).get(index).map(|row| column(row, name));
            if text.is_some_and(|text| !good(&text)) {
                let why = mailfleet_model::fleet::InvalidName.to_string();
                self.wrong(key, &format!("[{index}].{name}"), why);
            }
        }
    }

    fn unique(&mut self, key: &'static str, name: &str) {
        let mut seen = BTreeSet::new();
        let rows = self.values.rows(key).iter().enumerate();
        let twice = rows.filter(|(_, row)| !seen.insert(column(row, name)));
        for index in twice.map(|(index, _)| index).collect::<Vec<_>>() {
            self.wrong(key, &format!("[{index}].{name}"), "stands there twice");
        }
    }

    /// Nobody outside could bind a queue in this process.
    fn events(&mut self) {
        let publishes = self.values.text("events.publish").as_deref() == Some("on");
        if publishes && self.values.is_in_process() {
            let why = "is on, and broker.url is in-process: events are published over RabbitMQ; \
                       without it, services watch them with EventService";
            self.wrong("events.publish", "", why);
        }
    }

    fn pools(&mut self) {
        let rows = self.values.rows("egress.pool").iter();
        let mut pools: BTreeSet<String> = rows.map(|row| column(row, "name")).collect();
        if pools.is_empty() {
            pools.insert(DEFAULT_POOL.to_owned());
        }
        if !pools.contains(DEFAULT_POOL) {
            let why = "has no pool named \"default\", which serves whoever names no other";
            self.wrong("egress.pool", "", why);
        }
        let rows = self.values.rows("tenant").iter().enumerate();
        let strangers = rows.filter(|(_, row)| !pools.contains(&column(row, "pool")));
        for index in strangers.map(|(index, _)| index).collect::<Vec<_>>() {
            self.wrong("tenant", &format!("[{index}].pool"), "is no [[egress.pool]]");
        }
        self.proxies(&pools);
    }

    fn proxies(&mut self, pools: &BTreeSet<String>) {
        let mut exits: BTreeSet<(String, IpAddr)> = BTreeSet::new();
        for row in self.values.rows("egress.pool") {
            if let Some(Value::Addresses(addresses)) = row.get("addresses") {
                exits.extend(addresses.iter().map(|ip| (column(row, "name"), *ip)));
            }
        }
        let mut wrong = Vec::new();
        for (index, row) in self.values.rows("egress.socks5").iter().enumerate() {
            let pool = column(row, "pool");
            if !pools.contains(&pool) {
                wrong.push((index, "pool", "is no [[egress.pool]]"));
            }
            if server(&column(row, "server")).is_none() {
                wrong.push((index, "server", "is no host with a port: socks5.example.com:1080"));
            }
            match column(row, "exit").parse() {
                Ok(exit) if exits.insert((pool, exit)) => {}
                Ok(_) => wrong.push((index, "exit", "stands there twice in its pool")),
                Err(_) => wrong.push((index, "exit", "is no IP address")),
            }
            match (row.contains_key("user"), row.contains_key("password_file")) {
                (true, false) => wrong.push((index, "password_file", "is missing beside user")),
                (false, true) => wrong.push((index, "user", "is missing beside password_file")),
                (true, true) | (false, false) => {}
            }
        }
        for (index, name, why) in wrong {
            self.wrong("egress.socks5", &format!("[{index}].{name}"), why);
        }
    }
}
