//! Zones: workers that can leave from some of the addresses only, and a limit that is split
//! between them.

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::fault::Code;
use mailfleet_mailsim::Running;

use super::client::{Client, Load};
use super::ground::{CRM, ERP, Ground, Size, Tenant, USUAL};
use super::judge::{Excuses, judge, peak_from};
use super::lab::Use;
use super::mail::group;

/// Four sessions for three zones: two, one, and one for a zone without workers.
const ZONED: Size = Size { limit: 4, n_workers: 4, n_zones: 3, ..USUAL };

/// What the zone of a tenant may have open at once.
const PARTS: [(Tenant, u32); 2] = [(CRM, 2), (ERP, 1)];

#[tokio::test(flavor = "multi_thread")]
async fn zones_share_a_limit_and_leave_from_their_own_addresses() {
    let Some(ground) = Ground::start(ZONED, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let load = Load { tenants: &[CRM, ERP], ..Load::of(96) };
    client.submit(&ground, load).await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(120)).await;
    let findings = judge("zones", &ground, &outcomes, &Excuses::NONE);
    assert_eq!((findings.peak, findings.repeated), (3, 0), "nobody uses the third zone's part");
    for server in ground.mail.servers() {
        for (tenant, part) in PARTS {
            let peak = peak_from(server, &tenant.addresses());
            assert_eq!(peak, part, "{} at {}", tenant.name, group(server));
        }
    }
    shown(&ground).await;
    one_session_is_for_one_zone(&ground, &ground.mail.pairs[0].incoming).await;
}

/// What operators see.
async fn shown(ground: &Ground) {
    let workers = ground.operator(&["fleet", "workers"]).await.stdout;
    let zones = ["default", "other"].map(|zone| {
        workers.lines().filter(|line| line.split_whitespace().nth(1) == Some(zone)).count()
    });
    assert_eq!(zones, [2, 2], "{workers}");
    let shards = ground.operator(&["fleet", "shards"]).await.stdout;
    let unowned = shards.lines().filter(|line| line.contains("no owner"));
    let unowned: Vec<&str> = unowned.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(unowned, ["third"], "{shards}");
}

/// A limit is set as a whole. What is too little for two zones is for the one with the greater
/// share, and the other one's legs are told so.
async fn one_session_is_for_one_zone(ground: &Ground, server: &Running) {
    let key = group(server);
    let told = ground.operator(&["fleet", "limit", &key, "--concurrency", "1"]).await;
    let rows: Vec<String> = told.stdout.lines().skip(1).map(squeezed).collect();
    assert_eq!(rows.len(), 3, "{}{}", told.stdout, told.stderr);
    for (row, (zone, part)) in rows.iter().zip([("default", "1"), ("other", "0"), ("third", "0")]) {
        let part = if part == "1" { "1 ".to_owned() } else { format!("{part} of 1 ") };
        assert!(row.starts_with(&format!("{key} {zone} ")) && row.contains(&part), "{row}");
    }
    for (tenant, is_refused) in [(CRM, false), (ERP, true)] {
        let client = Client::new(ground);
        let from = if is_refused { 71 } else { 70 };
        let tenants: &'static [Tenant] = if is_refused { &[ERP] } else { &[CRM] };
        let load = Load { tenants, from, wrong_one_in: 0, ..Load::of(1) };
        client.submit(ground, load).await.expect("it is accepted");
        let outcomes = client.finish(Duration::from_secs(30)).await;
        let report = outcomes[0].first.clone().and_then(|job| job.report).expect("a report");
        let codes: Vec<Code> = report.faults.iter().map(v1::Fault::code).collect();
        let expect = if is_refused { vec![Code::EgressPoolEmpty] } else { Vec::new() };
        assert_eq!(codes, expect, "{}: {report:?}", tenant.name);
    }
}

fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
