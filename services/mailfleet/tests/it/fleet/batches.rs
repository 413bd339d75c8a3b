//! Batches on a fleet: while it is harmed, and beside the work of others.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::channel::mpsc;
use mailfleet_api::v1;
use mailfleet_api::v1::batch_service_client::BatchServiceClient;
use mailfleet_api::v1::create_batch_request::Part;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use super::client::{BUDGET, Client, Load, Order, WRONG, now_us};
use super::ground::{CRM, ERP, Ground, Size, Tenant, USUAL, as_tenant};
use super::judge::{Excuses, judge};
use super::lab::Use;
use super::mail::{Estates, PASSWORD, mailbox};
use super::process::{PATIENCE, Role, eventually};

/// Items of one message.
const CHUNK: usize = 50;

/// A batch as its caller has it.
struct Upload {
    tenant: Tenant,
    settings: v1::BatchSettings,
    orders: Vec<Order>,
    items: Vec<v1::BatchItem>,
}

type Answer = Result<v1::CreateBatchResponse, Status>;

impl Upload {
    /// A batch of these mailboxes, so many of them open at once.
    fn of(ground: &Ground, orders: Vec<Order>, max_open: u32) -> Self {
        let item = |order: &Order| {
            let password = if order.is_right { PASSWORD } else { WRONG };
            let wanted = ground.mail.pairs[order.pair].request(&order.mailbox, password);
            let v1::ValidateRequest { address, incoming, outgoing, login, .. } = wanted;
            v1::BatchItem { key: String::new(), address, incoming, outgoing, login }
        };
        let settings = v1::BatchSettings {
            request_id: Uuid::new_v4().to_string(),
            max_open,
            ..v1::BatchSettings::default()
        };
        let items = orders.iter().map(item).collect();
        Self { tenant: orders[0].tenant, settings, orders, items }
    }

    /// Begins to send the first items. The stream ends when the sender is dropped.
    fn begin(
        &self,
        channel: &Channel,
        n_items: usize,
    ) -> (mpsc::UnboundedSender<v1::CreateBatchRequest>, JoinHandle<Answer>) {
        let (sender, parts) = mpsc::unbounded();
        let settings = Part::Settings(Box::new(self.settings.clone()));
        let chunks = self.items[..n_items].chunks(CHUNK);
        let items = chunks.map(|some| Part::Items(v1::BatchItems { items: some.to_vec() }));
        for part in std::iter::once(settings).chain(items) {
            let message = v1::CreateBatchRequest { part: Some(part) };
            sender.unbounded_send(message).expect("nobody has closed it");
        }
        let mut client = BatchServiceClient::new(channel.clone());
        let request = as_tenant(self.tenant, parts);
        let call = async move { client.create_batch(request).await.map(|it| it.into_inner()) };
        (sender, tokio::spawn(call))
    }

    /// Sends everything.
    async fn send(&self, channel: &Channel) -> v1::CreateBatchResponse {
        let (sender, call) = self.begin(channel, self.items.len());
        drop(sender);
        call.await.expect("it does not panic").expect("it is taken")
    }
}

fn counts(batch: &v1::Batch) -> v1::BatchCounts {
    let counts = batch.counts.expect("always set");
    let v1::BatchCounts { total, held, open, healthy, faulty, inconclusive, cancelled } = counts;
    let sum = held + open + healthy + faulty + inconclusive + cancelled;
    assert_eq!(total, sum, "counters are the sum of the items");
    counts
}

/// Watches through one gateway until a state is enough, or the stream ends. Gives the last state,
/// and how the stream ended.
async fn follow(
    channel: Channel,
    (tenant, name): (Tenant, String),
    watch_token: String,
    enough: impl Fn(&v1::BatchCounts) -> bool,
) -> (Option<v1::Batch>, Result<(), Status>) {
    let mut client = BatchServiceClient::new(channel);
    let request = as_tenant(tenant, v1::WatchBatchRequest { name, watch_token });
    let mut last = None;
    let mut stream = match client.watch_batch(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return (last, Err(status)),
    };
    loop {
        match stream.message().await {
            Ok(None) => return (last, Ok(())),
            Err(status) => return (last, Err(status)),
            Ok(Some(news)) => {
                let Some(batch) = news.batch else { continue };
                let is_enough = enough(&counts(&batch));
                last = Some(batch);
                if is_enough {
                    return (last, Ok(()));
                }
            }
        }
    }
}

/// The same to the end of the batch.
async fn ended(channel: &Channel, of: (Tenant, String), watch_token: String) -> v1::Batch {
    let (last, how) = follow(channel.clone(), of, watch_token, |_| false).await;
    how.expect("the stream ends with the batch");
    last.expect("the last state is told")
}

/// Every item, as one gateway lists them.
async fn items(channel: &Channel, tenant: Tenant, name: &str) -> Vec<v1::BatchItemResult> {
    let mut client = BatchServiceClient::new(channel.clone());
    let message =
        v1::ListBatchItemsRequest { name: name.to_owned(), page_size: 1_000, ..Default::default() };
    let answer = client.list_batch_items(as_tenant(tenant, message)).await;
    answer.expect("a gateway that answers").into_inner().items
}

/// Hands the jobs of a batch to the caller whose history is judged. `stopped`: when it was
/// cancelled.
fn adopt(client: &Client, upload: &Upload, items: &[v1::BatchItemResult], stopped: Option<u64>) {
    let mut orders: BTreeMap<&str, &Order> =
        upload.orders.iter().map(|order| (order.mailbox.as_str(), order)).collect();
    assert_eq!(items.len(), orders.len(), "each has its place");
    for item in items {
        let order = orders.remove(item.address.as_str()).expect("uploaded, and listed once");
        let is_cancelled = item.state() == v1::batch_item_result::State::Cancelled;
        assert!(!is_cancelled || stopped.is_some(), "{} was cancelled", item.address);
        // One that had not begun has no job.
        if !item.job.is_empty() {
            client.adopt(order.clone(), item.job.clone(), stopped.filter(|_| is_cancelled));
        }
    }
}

/// A number from the database of a test.
async fn number(ground: &Ground, what: &str, from: &str) -> usize {
    let asked = format!("SELECT {what} FROM {}.{from}", ground.lab.namespace);
    ground.lab.sql(&asked).await.trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_outlives_killed_gateways_and_workers() {
    const ITEMS: usize = 300;
    const ARRIVED: usize = 2 * CHUNK;
    let Some(mut ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let channels = ground.channels();
    let orders = Load::of(ITEMS).orders(&ground);
    let upload = Upload::of(&ground, orders, 60);

    // The gateway that takes the upload is killed in the middle of it.
    let (sender, broken) = upload.begin(&channels[1], ARRIVED);
    eventually("the first items are stored", PATIENCE, || async {
        number(&ground, "count(*)", "batch_items").await == ARRIVED
    })
    .await;
    let victim = ground.gateways.remove(1);
    let place = victim.listen.expect("a gateway listens");
    victim.kill().await;
    broken.await.expect("it does not panic").expect_err("nobody answers");
    drop(sender);
    ground.add_gateway_at(place).await;
    assert_eq!(ground.mail.total(), 0, "nothing runs before the upload is complete");
    let answer = upload.send(&channels[0]).await;
    assert_eq!((answer.stored, answer.known), (200, 100), "what had arrived is not stored twice");
    let of = (CRM, answer.batch.expect("always set").name);

    let watching = tokio::spawn(follow(channels[0].clone(), of.clone(), String::new(), |_| false));
    ground.busy(40).await;
    let (victim, _) = ground.busiest_worker().await;
    ground.workers.remove(victim).kill().await;
    ground.add(Role::Worker).await;

    // The gateway that is watched is killed while it feeds, and stays away.
    let fed = |counts: &v1::BatchCounts| 80 <= counts.healthy;
    let (seen, _) = follow(channels[1].clone(), of.clone(), String::new(), fed).await;
    let seen = counts(&seen.expect("a batch"));
    assert!(0 < seen.held && 0 < seen.open, "it is still fed: {seen:?}");
    let victim = ground.gateways.remove(0);
    let place = victim.listen.expect("a gateway listens");
    victim.kill().await;
    let (last, how) = watching.await.expect("it does not panic");
    how.expect_err("the stream broke off");
    let last = last.expect("it was watched");
    let end = ended(&channels[1], of.clone(), last.watch_token).await;
    ground.add_gateway_at(place).await;

    assert_eq!(end.state(), v1::batch::State::Done);
    let all = v1::BatchCounts { total: 300, healthy: 270, faulty: 30, ..Default::default() };
    assert_eq!(counts(&end), all);
    let listed = items(&channels[0], CRM, &of.1).await;
    assert_eq!(listed, items(&channels[1], CRM, &of.1).await, "both gateways show the same");
    adopt(&client, &upload, &listed, None);
    let outcomes = client.finish(Duration::from_secs(60)).await;
    let verdicts: BTreeMap<&str, v1::report::Verdict> =
        listed.iter().map(|item| (item.job.as_str(), item.verdict())).collect();
    for outcome in &outcomes {
        let report = outcome.first.as_ref().and_then(|job| job.report.as_ref());
        let verdict = report.map(v1::Report::verdict);
        assert_eq!(verdict, verdicts.get(outcome.job.as_str()).copied(), "{}", outcome.job);
    }
    for (what, from) in
        [("count(*)", "jobs"), ("count(job)", "notices"), ("count(DISTINCT job)", "notices")]
    {
        let found = number(&ground, what, from).await;
        assert_eq!(found, ITEMS, "one of each item: {what} of {from}");
    }
    let findings = judge("batch under kills", &ground, &outcomes, &Excuses::CRASHED);
    eprintln!("batch under kills: {} legs ran twice", findings.repeated);
}

/// Mailboxes of one pair of servers.
fn at_pair(tenant: Tenant, pair: usize, numbers: std::ops::Range<usize>) -> Vec<Order> {
    let order = |number| Order {
        pair,
        mailbox: mailbox(pair, number),
        is_right: true,
        tenant,
        budget: BUDGET,
    };
    numbers.map(order).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_at_a_server_that_takes_one_delays_nobody_else() {
    const MANY: usize = 200;
    const BEGUN: u64 = 10;
    // Longer than the judge gives a session to close: he sees each.
    let login = Duration::from_millis(200);
    let mail = Estates { n_pairs: 3, n_mailboxes: MANY + 1, login };
    let size = Size { limit: 1, mail, ..USUAL };
    let Some(ground) = Ground::start(size, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let channels = ground.channels();
    let many = Upload::of(&ground, at_pair(CRM, 0, 0..MANY), 1_000);
    let many_of = (CRM, many.send(&channels[0]).await.batch.expect("always set").name);
    let begun = |counts: &v1::BatchCounts| BEGUN <= counts.healthy;
    let (seen, how) = follow(channels[0].clone(), many_of.clone(), String::new(), begun).await;
    how.expect("it is watched");
    let before = counts(&seen.expect("a batch")).healthy;

    // Another tenant's batch elsewhere, and interactive ones of both: elsewhere, and at the same
    // server.
    let few = Upload::of(&ground, at_pair(ERP, 1, 0..20), 1_000);
    let few_of = (ERP, few.send(&channels[1]).await.batch.expect("always set").name);
    let people = [at_pair(ERP, 0, MANY..MANY + 1), at_pair(CRM, 2, 0..1)].concat();
    client.send(&ground, people, Duration::ZERO).await.expect("all are accepted");
    client.finish(Duration::from_secs(60)).await;
    let after_people = get(&channels[0], &many_of).await;
    let few_end = ended(&channels[1], few_of.clone(), String::new()).await;
    let after_few = get(&channels[0], &many_of).await;

    let stopped = BatchServiceClient::new(channels[0].clone())
        .cancel_batch(as_tenant(CRM, v1::CancelBatchRequest { name: many_of.1.clone() }))
        .await;
    stopped.expect("a gateway that answers");
    let stopped = now_us();
    let end = ended(&channels[0], many_of.clone(), String::new()).await;
    assert_eq!(end.state(), v1::batch::State::Cancelled);
    adopt(&client, &many, &items(&channels[0], CRM, &many_of.1).await, Some(stopped));
    adopt(&client, &few, &items(&channels[1], ERP, &few_of.1).await, None);
    let outcomes = client.finish(Duration::from_secs(60)).await;
    let findings = judge("batch at a slow server", &ground, &outcomes, &Excuses::NONE);
    assert_eq!(findings.peak, 1, "one at a time, everywhere");

    assert_eq!(counts(&few_end), v1::BatchCounts { total: 20, healthy: 20, ..Default::default() });
    let left = [after_people, after_few].map(|counts| counts.held + counts.open);
    eprintln!("batch at a slow server: {before} had ended before; {left:?} were left after");
    assert!(left.iter().all(|left| 100 <= *left), "the others did not wait for it: {left:?}");
}

async fn get(channel: &Channel, (tenant, name): &(Tenant, String)) -> v1::BatchCounts {
    let request = as_tenant(*tenant, v1::GetBatchRequest { name: name.clone() });
    let answer = BatchServiceClient::new(channel.clone()).get_batch(request).await;
    counts(&answer.expect("a gateway that answers").into_inner().batch.expect("always set"))
}
