//! Limits that change, that two tenants share, and jobs that are called off, all under load.

use std::time::{Duration, Instant};

use mailfleet_api::v1;

use super::client::{Client, Load, now_us};
use super::ground::{CRM, ERP, Ground, ROOMY, Size, USUAL, as_tenant};
use super::judge::{Excuses, judge, peak_between};
use super::lab::Use;
use super::mail::{Estates, group};

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_lowered_and_raised_while_the_fleet_works() {
    const LOW: Duration = Duration::from_secs(6);
    let mail = Estates { n_pairs: 2, n_mailboxes: 110, ..ROOMY.mail };
    let Some(ground) = Ground::start(Size { mail, ..ROOMY }, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load { wrong_one_in: 0, ..Load::of(220) });
    ground.busy(30).await;
    let key = group(&ground.mail.pairs[0].incoming);
    let began = Instant::now();
    let told = ground.operator(&["fleet", "limit", &key, "--concurrency", "2"]).await;
    assert_eq!(told.status, Some(0), "{}", told.stderr);
    let lowered = now_us();
    tokio::time::sleep(LOW.saturating_sub(began.elapsed())).await;
    let name = format!("zones/default/limitGroups/{key}");
    let limits = v1::Limits { concurrency: ROOMY.limit, ..v1::Limits::default() };
    let message = v1::SetLimitGroupRequest { name, limits: Some(limits) };
    // It may hold before the answer is here.
    let raised = now_us();
    let set = ground.fleet_client().set_limit_group(as_tenant(CRM, message)).await;
    set.expect("a gateway that answers");
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(90)).await;
    let changes = vec![(key.clone(), lowered, 2), (key.clone(), raised, ROOMY.limit)];
    let excuses = Excuses { limits: changes, ..Excuses::NONE };
    judge("limit 10, 2, 10", &ground, &outcomes, &excuses);
    let peaks = [(0, lowered), (raised, now_us())]
        .map(|(from, until)| peak_between(&ground, &key, from, until));
    eprintln!("limit 10, 2, 10: peaks before and after {peaks:?}");
    assert!(peaks.iter().all(|peak| 2 < *peak), "the limit is used: {peaks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_with_pools_of_their_own_share_one_limit() {
    let Some(ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let load = Load { tenants: &[CRM, ERP], ..Load::of(120) };
    client.submit(&ground, load).await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(120)).await;
    let findings = judge("two pools", &ground, &outcomes, &Excuses::NONE);
    assert_eq!((findings.peak, findings.repeated), (USUAL.limit, 0));
    for server in ground.mail.servers() {
        for tenant in [CRM, ERP] {
            let used = tenant.addresses().into_iter();
            let sessions = used.map(|ip| server.recorder().sessions_from(ip).total).sum::<u64>();
            assert!(0 < sessions, "{} never came to {}", tenant.name, group(server));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_jobs_stay_cancelled_in_a_storm_of_cancels() {
    let Some(ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    client.submit(&ground, Load::of(140)).await.expect("all are accepted");
    let n_cancelled = client.cancel(2).await;
    let outcomes = client.finish(Duration::from_secs(120)).await;
    judge("cancel storm", &ground, &outcomes, &Excuses::NONE);
    assert!(30 <= n_cancelled, "only {n_cancelled} were still open");
}
