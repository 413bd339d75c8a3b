//! The zones of the configuration: which there are, and what share of every limit each has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use mailfleet_engine::Shares;
use mailfleet_model::fleet::ZoneName;

use super::Origin;
use super::pools::PoolSettings;
use super::settings::{KIND, Row, Settings, Values, column, limits};
use super::together::Checks;
use super::value::Value;

impl Values<'_> {
    /// The zone of this process's worker.
    pub(super) fn worker_zone(&self) -> ZoneName {
        self.text("worker.zone").and_then(|name| name.parse().ok()).expect(KIND)
    }

    /// The shares of the zones; none where there is one zone, which has everything.
    pub(super) fn shares(&self) -> Shares {
        let zone =
            |row: &Row| (column(row, "name").parse().expect(KIND), share(row).unwrap_or(100));
        Shares::new(self.rows("fleet.zone").iter().map(zone))
    }

    /// The files with the public keys of zones that have some of their own.
    pub(super) fn zone_keys(&self) -> BTreeMap<ZoneName, PathBuf> {
        let rows = self.rows("fleet.zone").iter();
        let file = |row: &Row| match row.get("key_file") {
            Some(Value::Path(file)) => {
                Some((column(row, "name").parse().expect(KIND), file.clone()))
            }
            _ => None,
        };
        rows.filter_map(file).collect()
    }
}

impl Settings {
    /// The pools of a zone.
    pub(crate) fn pools_of(
        &self,
        zone: &ZoneName,
    ) -> impl Iterator<Item = (&mailfleet_model::fleet::PoolName, &PoolSettings)> {
        self.pools.iter().filter(move |(_, pool)| pool.zone == *zone)
    }

    /// Every zone, by name.
    pub(crate) fn zones(&self) -> BTreeSet<ZoneName> {
        let pools = self.pools.values().map(|pool| pool.zone.clone());
        self.shares.zones().cloned().chain(pools).collect()
    }
}

fn share(row: &Row) -> Option<u8> {
    match row.get("share") {
        Some(Value::Count(share)) => u8::try_from(*share).ok(),
        _ => None,
    }
}

impl Checks<'_> {
    /// Notes what is wrong with zones and shares. Names are good by now.
    pub(super) fn zones(&mut self) {
        let values = Values(self.configuration);
        let named: BTreeSet<String> =
            values.rows("fleet.zone").iter().map(|row| column(row, "name")).collect();
        let pools = values.rows("egress.pool");
        let mut used: BTreeSet<String> = pools.iter().map(|row| column(row, "zone")).collect();
        let worker = values.text("worker.zone").unwrap_or_default();
        if pools.is_empty() {
            used.insert(worker.clone());
        }
        if named.is_empty() && 1 < used.len() {
            let zones: Vec<&str> = used.iter().map(String::as_str).collect();
            let why = format!(
                "the pools are in the zones {}: between zones every mail server's limit is split, \
                 so each needs a [[fleet.zone]] with its share",
                zones.join(", ")
            );
            self.wrong("fleet.zone", "", why);
        }
        self.shares(named.len());
        let known = if named.is_empty() { &used } else { &named };
        let strangers: Vec<(usize, String)> = pools
            .iter()
            .map(|row| column(row, "zone"))
            .enumerate()
            .filter(|(_, zone)| !known.contains(zone))
            .collect();
        for (index, zone) in strangers {
            let why = format!("is {zone:?}, and there is no such [[fleet.zone]]");
            self.wrong("egress.pool", &format!("[{index}].zone"), why);
        }
        // A gateway has no use for the key, and may leave it alone.
        let is_said = self.configuration.effective("worker.zone").origin != Origin::Default;
        if !known.contains(&worker) && (is_said || pools.is_empty()) {
            let zones: Vec<&str> = known.iter().map(String::as_str).collect();
            let why = format!(
                "is {worker:?}, and no [[fleet.zone]] or [[egress.pool]] has a zone of that name; \
                 there is {}",
                zones.join(", ")
            );
            self.wrong("worker.zone", "", why);
        }
        self.addresses_of_one_zone();
    }

    fn shares(&mut self, n_zones: usize) {
        let values = Values(self.configuration);
        let rows = values.rows("fleet.zone");
        let missing = rows.iter().enumerate().filter(|(_, row)| share(row).is_none());
        let missing: Vec<usize> = missing.map(|(index, _)| index).collect();
        if 1 < n_zones {
            for index in &missing {
                let why = "is missing: between zones every mail server's limit is split, and a \
                           zone without a share could start nothing";
                self.wrong("fleet.zone", &format!("[{index}].share"), why);
            }
        }
        let sum: u64 = rows.iter().filter_map(share).map(u64::from).sum();
        if 100 < sum {
            let why = format!(
                "the shares come to {sum} percent: with more than 100, the zones together would \
                 pass the limits of mail servers"
            );
            self.wrong("fleet.zone", "", why);
        } else if missing.is_empty() {
            self.default_limits();
        }
    }

    /// A zone that may start nothing at servers of which nothing is said is a mistake.
    fn default_limits(&mut self) {
        let count = |key: &str| match self.configuration.get(key) {
            Some(Value::Count(count)) => *count,
            _ => 0,
        };
        let whole = limits(count("limits.concurrency"), count("limits.logins_per_minute"));
        let shares = self.values.shares();
        let without = shares.zones().filter(|zone| shares.part(&whole, zone).is_none());
        let without: Vec<String> = without.map(ToString::to_string).collect();
        if !without.is_empty() {
            let why = format!(
                "is too little to be split: nothing is left for {}; raise it, or \
                 logins_per_minute, or the share",
                without.join(", ")
            );
            self.wrong("limits.concurrency", "", why);
        }
    }

    /// The connections of an address are counted by one zone's workers.
    fn addresses_of_one_zone(&mut self) {
        let pools = self.values.rows("egress.pool").iter();
        let zones: BTreeMap<String, String> =
            pools.map(|row| (column(row, "name"), column(row, "zone"))).collect();
        let mut of: BTreeMap<IpAddr, String> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (index, row) in self.values.rows("egress.pool").iter().enumerate() {
            let Some(Value::Addresses(addresses)) = row.get("addresses") else { continue };
            for address in addresses {
                let zone = column(row, "zone");
                let known = of.entry(*address).or_insert_with(|| zone.clone());
                if *known != zone {
                    wrong.push(("egress.pool", format!("[{index}].addresses"), *address));
                }
            }
        }
        for (index, row) in self.values.rows("egress.socks5").iter().enumerate() {
            let (zone, exit) = (zones.get(&column(row, "pool")), column(row, "exit").parse().ok());
            let Some((zone, exit)) = zone.zip(exit) else { continue };
            if of.entry(exit).or_insert_with(|| zone.clone()) != zone {
                wrong.push(("egress.socks5", format!("[{index}].exit"), exit));
            }
        }
        for (key, place, address) in wrong {
            let why = format!(
                "{address} is in a pool of another zone too: what is allowed from one address is \
                 counted in one zone"
            );
            self.wrong(key, &place, why);
        }
    }
}
