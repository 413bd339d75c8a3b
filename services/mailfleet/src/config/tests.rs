//! Tests of the configuration as a whole.

use std::ffi::OsString;
use std::io::Write as _;

use super::*;

/// Loads a file with this text under these variables.
fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Configuration, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    let variables = variables.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
    Configuration::load(Some(file.path()), variables).map_err(|problems| {
        problems.to_string().replace(&file.path().display().to_string(), "FILE")
    })
}

fn settings(toml: &str, variables: &[(&str, &str)]) -> Settings {
    Settings::of(&load(toml, variables).unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn without_anything_the_defaults_hold() {
    let configuration = Configuration::load(None, []).unwrap_or_else(|p| panic!("{p}"));
    let settings = Settings::of(&configuration);
    assert_eq!(settings.listen, mailfleet_gateway::Config::default().listen);
    assert_eq!(settings.drain, mailfleet_gateway::Config::default().drain_grace);
    assert!(settings.broker.is_none() && settings.tls.is_none() && settings.tenants.is_empty());
    assert_eq!(settings.pools.len(), 1);
    let (_, pool) = settings.default_pool();
    assert!(pool.seen().is_empty() && pool.per_address.is_none());
    assert!(settings.shares.is_empty() && settings.zones().iter().eq([&settings.zone]));
    assert_eq!(settings.limits, mailfleet_probe::limits::Limits::default());
    assert_eq!(settings.identity.name, mailfleet_probe::Identity::default().name);
    assert_eq!(settings.rules.courier, mailfleet_probe::CourierRule::Refuse);
    assert!(settings.allow.is_empty() && settings.otlp.is_none());
}

#[test]
fn the_environment_wins_over_the_file() {
    let toml = "[gateway]\nlisten = \"127.0.0.1:1\"\n[worker]\nslots = 7\n[targets]\nallow = [\"10.0.0.0/8\"]\n";
    let variables = [("MAILFLEET_GATEWAY__LISTEN", "[::1]:2"), ("MAILFLEET_STEPS__LOGIN", "1m 5s")];
    let settings = settings(toml, &variables);
    assert_eq!(settings.listen, "[::1]:2".parse().unwrap());
    assert_eq!(settings.slots.get(), 7);
    assert_eq!(settings.allow, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(settings.limits.login.as_secs(), 65);
}

#[test]
fn lists_and_numbers_can_be_set_in_the_environment() {
    let variables = [
        ("MAILFLEET_TARGETS__ALLOW", "127.0.0.0/8, ::1"),
        ("MAILFLEET_WORKER__SLOTS", "3"),
        ("MAILFLEET_BIN", "/elsewhere/mailfleet"),
    ];
    let settings = settings("", &variables);
    assert_eq!(settings.allow, ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
    assert_eq!(settings.slots.get(), 3);
}

#[test]
fn the_default_pool_gives_the_source_addresses() {
    let toml = "[[egress.pool]]\nname = \"other\"\naddresses = [\"192.0.2.1\"]\n\
                [[egress.pool]]\nname = \"default\"\naddresses = [\"192.0.2.7\", \"2001:db8::7\"]\n";
    let expect: Vec<std::net::IpAddr> =
        vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
    assert_eq!(settings(toml, &[]).default_pool().1.addresses, expect);
}

#[test]
fn all_errors_are_reported_at_once() {
    let toml = r#"
gatway = 3
[gateway]
listen = "localhost"
dran = "4s"
drain = 30
[store]
url = "mysql://app:hunter2@db/x"
[limits]
concurrency = 0
[[limits.group]]
match = "imap.example.com"
concurrency = "many"
limit = 5
[[limits.group]]
concurrency = 5
[targets]
allow = ["10.0.0.0/8", "ten", 3]
[steps]
login = "30"
tls = "1h"
"#;
    let variables = [("MAILFLEET_RULES__COURIER", "no"), ("MAILFLEET_STEPS__LOGON", "1s")];
    let problems = load(toml, &variables).err().expect("nearly everything is wrong");
    insta::assert_snapshot!(problems);
    assert!(!problems.contains("hunter2"));
}

#[test]
fn a_broken_file_is_told_by_line_and_never_quoted() {
    let problems = load("[store]\nurl = \"postgres://app:hunter2@db\n", &[]).err().unwrap();
    assert!(problems.contains("FILE:2"), "{problems}");
    assert!(!problems.contains("hunter2"), "{problems}");
}

#[test]
fn a_missing_file_is_an_error() {
    let problems = Configuration::load(Some("/nonexistent/x.toml".as_ref()), []).err().unwrap();
    assert!(problems.to_string().contains("cannot be read"), "{problems}");
}

#[test]
fn the_gateway_stays_on_loopback() {
    let problems = load("[gateway]\nlisten = \"0.0.0.0:7443\"\n", &[]).err().unwrap();
    assert!(problems.contains("gateway.listen (FILE:2): is not a loopback"), "{problems}");
}

#[test]
fn what_is_shown_can_be_read_again() {
    let toml = "[limits]\nconcurrency = 5\n[[limits.group]]\nmatch = \"h.test\"\nconcurrency = 2\n\
                [[tenant]]\nname = \"crm\"\ntoken_file = \"crm.token\"\nrole = \"admin\"\n";
    let variables = [("MAILFLEET_STORE__URL", "postgres://app:hunter2@db/x")];
    let shown = show(&load(toml, &variables).unwrap_or_else(|p| panic!("{p}")));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("environment variable MAILFLEET_STORE__URL"), "{shown}");
    let again = show(&load(&shown, &[]).unwrap_or_else(|p| panic!("{p}")));
    let values = |text: &str| -> Vec<String> {
        let bare = |line: &str| line.split("  #").next().unwrap_or_default().to_owned();
        text.lines().map(bare).collect()
    };
    assert_eq!(values(&again), values(&shown));
}

#[test]
fn what_does_not_fit_together_is_named() {
    let toml = r#"
[gateway]
tls_cert = "a.pem"
[broker]
namespace = "Big"
[[egress.pool]]
name = "default"
[[egress.pool]]
name = "default"
[[tenant]]
name = "CRM"
token_file = "crm.token"
pool = "tokyo"
[[egress.socks5]]
pool = "osaka"
server = "socks5.example.com"
exit = "ten"
user = "fleet"
"#;
    insta::assert_snapshot!(load(toml, &[]).err().expect("nothing fits"));
}

#[test]
fn tenants_limits_and_pools_reach_the_settings() {
    let toml = "[limits]\nconcurrency = 3\nlogins_per_minute = 30\n[[limits.group]]\n\
                match = \"imap:google\"\nconcurrency = 1\n[[egress.pool]]\n\
                name = \"default\"\n[[egress.pool]]\nname = \"tokyo\"\n\
                addresses = [\"192.0.2.1\"]\n[[tenant]]\nname = \"crm\"\n\
                token_file = \"crm.token\"\nrole = \"admin\"\npool = \"tokyo\"\n\
                [gateway]\nlisten = \"0.0.0.0:7443\"\n[broker]\nurl = \"amqp://h\"\n";
    let settings = settings(toml, &[]);
    assert_eq!(settings.default_limits.concurrency.get(), 3);
    assert_eq!(settings.default_limits.rate.map(|rate| rate.logins.get()), Some(30));
    let [(host, limits)] = settings.group_limits.as_slice() else { panic!("one group") };
    assert_eq!((host.as_str(), limits.concurrency.get()), ("imap:google", 1));
    assert!(limits.rate.is_none() && settings.broker.is_some());
    let [tenant] = settings.tenants.as_slice() else { panic!("one tenant") };
    assert_eq!((tenant.role, tenant.pool.as_str()), (mailfleet_gateway::Role::Admin, "tokyo"));
    assert_eq!(settings.pools.values().map(|pool| pool.seen().len()).sum::<usize>(), 1);
}

#[test]
fn proxies_and_caps_reach_their_pools() {
    let toml = "[[egress.pool]]\nname = \"default\"\naddresses = [\"203.0.113.5\"]\n\
                per_address = 20\n[[egress.socks5]]\npool = \"default\"\n\
                server = \"socks5.example.com:1080\"\nexit = \"203.0.113.7\"\n\
                user = \"fleet\"\npassword_file = \"socks5.password\"\n\
                [[egress.socks5]]\npool = \"default\"\nserver = \"[2001:db8::1]:1\"\n\
                exit = \"2001:db8::7\"\n";
    let settings = settings(toml, &[]);
    let (_, pool) = settings.default_pool();
    assert_eq!(pool.per_address.map(std::num::NonZeroU32::get), Some(20));
    let seen: Vec<String> = pool.seen().iter().map(ToString::to_string).collect();
    assert_eq!(seen, ["203.0.113.5", "203.0.113.7", "2001:db8::7"]);
    let [first, second] = pool.socks5.as_slice() else { panic!("two proxies") };
    assert_eq!((first.host.to_string(), first.port), ("socks5.example.com".to_owned(), 1080));
    assert_eq!(first.login, Some(("fleet".to_owned(), "socks5.password".into())));
    assert_eq!((second.host.to_string(), second.port), ("[2001:db8::1]".to_owned(), 1));
    assert_eq!(second.login, None);
}

#[test]
fn an_exit_stands_once_in_its_pool() {
    let toml = "[[egress.pool]]\nname = \"default\"\naddresses = [\"203.0.113.7\"]\n\
                [[egress.socks5]]\npool = \"default\"\nserver = \"a.example.com:1080\"\n\
                exit = \"203.0.113.7\"\n";
    let problems = load(toml, &[]).err().expect("which of them is it");
    assert!(problems.contains("egress.socks5[0].exit"), "{problems}");
}

#[test]
fn zones_have_shares_and_pools() {
    let toml = "[worker]\nzone = \"tokyo\"\n[[fleet.zone]]\nname = \"osaka\"\nshare = 30\n\
                key_file = \"osaka.keys\"\n[[fleet.zone]]\nname = \"tokyo\"\nshare = 70\n\
                [[egress.pool]]\nname = \"default\"\nzone = \"osaka\"\naddresses = [\"192.0.2.1\"]\n\
                [[egress.pool]]\nname = \"east\"\nzone = \"tokyo\"\naddresses = [\"192.0.2.2\"]\n";
    let settings = settings(toml, &[]);
    let zones: Vec<String> = settings.zones().iter().map(ToString::to_string).collect();
    assert_eq!((zones, settings.zone.as_str()), (vec!["osaka".into(), "tokyo".into()], "tokyo"));
    let part = |zone| settings.shares.part(&settings.default_limits, zone);
    let parts = settings.shares.zones().map(|zone| part(zone).map(|part| part.concurrency.get()));
    assert_eq!(parts.collect::<Vec<_>>(), [Some(3), Some(7)]);
    let ours: Vec<&str> =
        settings.pools_of(&settings.zone).map(|(name, _)| name.as_str()).collect();
    assert_eq!(ours, ["east"]);
    assert_eq!(settings.zone_keys.len(), 1);
}

#[test]
fn a_gateway_need_not_name_a_zone_of_its_own() {
    let toml = "[[fleet.zone]]\nname = \"osaka\"\nshare = 30\n\
                [[egress.pool]]\nname = \"default\"\nzone = \"osaka\"\n";
    assert_eq!(settings(toml, &[]).zones().len(), 1);
    // Without pools the only one is in the worker's zone, whatever that is.
    let alone = settings("[worker]\nzone = \"osaka\"\n", &[]);
    assert_eq!(alone.zones().into_iter().next(), Some(alone.zone));
}

#[test]
fn zones_that_do_not_fit_together_are_named() {
    let pools = "[[egress.pool]]\nname = \"default\"\nzone = \"osaka\"\n\
                 addresses = [\"192.0.2.1\"]\n[[egress.pool]]\nname = \"east\"\n\
                 zone = \"tokyo\"\naddresses = [\"192.0.2.2\"]\n";
    let zone =
        |name: &str, share: u8| format!("[[fleet.zone]]\nname = \"{name}\"\nshare = {share}\n");
    let both = format!("{}{}{pools}", zone("osaka", 50), zone("tokyo", 50));
    let cases = [
        // Several zones, and no shares.
        pools.to_owned(),
        // A share that is missing.
        format!("[[fleet.zone]]\nname = \"osaka\"\n{}{pools}", zone("tokyo", 50)),
        // Shares that are more than everything.
        format!("{}{}{pools}", zone("osaka", 60), zone("tokyo", 50)),
        // A pool of an unknown zone, and a worker of another one.
        format!("[worker]\nzone = \"kyoto\"\n{}{pools}", zone("osaka", 50)),
        // A default limit of one session for two zones.
        format!("[limits]\nconcurrency = 1\n{both}"),
        // A worker of a zone without pools in the only zone that there is.
        "[worker]\nzone = \"kyoto\"\n[[egress.pool]]\nname = \"default\"\n".to_owned(),
        // An address in two zones, directly and as the exit of a proxy.
        format!(
            "{both}[[egress.pool]]\nname = \"more\"\nzone = \"tokyo\"\n\
             addresses = [\"192.0.2.1\"]\n[[egress.socks5]]\npool = \"default\"\n\
             server = \"a.example.com:1080\"\nexit = \"192.0.2.2\"\n"
        ),
        // Names that are none, and one that stands there twice.
        format!("{}{}{}", zone("Osaka", 1), zone("tokyo", 1), zone("tokyo", 1)),
    ];
    let told = cases.map(|toml| load(&toml, &[]).err().unwrap_or_else(|| panic!("{toml}")));
    insta::assert_snapshot!(told.join("\n"));
}

/// To renew the file: `cargo run -- config reference > deploy/config/mailfleet.toml`.
#[test]
fn the_reference_file_is_the_table_of_keys() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/config/mailfleet.toml");
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(text, reference(), "run `mailfleet config reference` and keep its output");
    let from_file = show(&load(&text, &[]).unwrap_or_else(|p| panic!("{p}")));
    let defaults = show(&Configuration::load(None, []).unwrap_or_else(|p| panic!("{p}")));
    let bare = |text: &str| -> Vec<String> {
        text.lines().map(|l| l.split("  #").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(bare(&from_file), bare(&defaults));
}

#[test]
fn keys_of_one_section_stand_together_and_defaults_can_be_read() {
    let mut sections: Vec<&str> = KEYS.iter().map(Key::section).collect();
    sections.dedup();
    let unique: std::collections::BTreeSet<_> = sections.iter().collect();
    assert_eq!(unique.len(), sections.len(), "{sections:?}");
    for key in KEYS {
        assert_eq!(key.default_value().is_some(), key.default.is_some(), "{}", key.path);
        assert!(!key.doc.is_empty() && key.doc.iter().all(|line| line.len() <= 96), "{}", key.path);
        let value::Kind::Tables(columns) = key.kind else { continue };
        assert!(columns.iter().all(|column| column.doc.len() == 2), "{}", key.path);
    }
}
