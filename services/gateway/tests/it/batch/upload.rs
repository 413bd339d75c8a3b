//! How batches come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mailfleet_api::v1;
use mailfleet_api::v1::batch::State;
use mailfleet_api::v1::create_batch_request::Part;
use mailfleet_mailsim::Server;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{address, begin, create, get, items, mail, parts, reaches, settings};
use crate::calls::{as_tenant, reason};
use crate::world::{CRM, CRM_READS, ERP, World, config, tenants};

const REQUEST: &str = "2c9a9f4e-6a7b-4d43-9c1f-0d9f0d9c7a11";

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_broke_off_runs_nothing_and_is_taken_up_again() {
    let world = World::start(config()).await;
    let server = mail(Server::pop3(), 6).await;
    let settings = v1::BatchSettings { request_id: REQUEST.to_owned(), ..settings(&server) };
    let (sender, receiver) = mpsc::channel(4);
    let mut client = world.batches().await;
    let call =
        tokio::spawn(async move { client.create_batch(ReceiverStream::new(receiver)).await });
    for part in parts(settings.clone(), items(0..4)) {
        sender.send(part).await.expect("it is read");
    }
    let mut client = world.batches().await;
    let stored = async || {
        let listed = client.clone().list_batches(v1::ListBatchesRequest::default()).await;
        let batches = listed.expect("a list").into_inner().batches;
        batches.into_iter().next().filter(|batch| batch.counts.unwrap_or_default().held == 4)
    };
    let batch = loop {
        if let Some(batch) = stored().await {
            break batch;
        }
        tokio::task::yield_now().await;
    };
    call.abort();
    drop((call.await, sender));
    assert_eq!(batch.state(), State::Uploading);
    assert_eq!(server.recorder().credentials(), 0);

    let answer = create(&world, settings.clone(), items(0..6)).await.expect("it goes on");
    assert_eq!((answer.stored, answer.known), (2, 4));
    assert_eq!(answer.batch.expect("a batch").name, batch.name);
    let done = reaches(&world, &batch.name, State::Done).await;
    assert_eq!(done.counts.expect("counts").healthy, 6);
    // Once more is no new batch, and with other settings it is refused.
    let again = create(&world, settings.clone(), items(0..6)).await.expect("it is known");
    assert_eq!(again.batch.expect("a batch").name, batch.name);
    let other = v1::BatchSettings { max_open: 7, ..settings };
    let refused = create(&world, other, items(0..6)).await.expect_err("it is another one");
    assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
    let one = client.list_batches(v1::ListBatchesRequest::default()).await.expect("a list");
    assert_eq!(one.into_inner().batches.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_items_are_told_together_and_nothing_of_them_stays() {
    let world = World::start(config()).await;
    let server = mail(Server::pop3(), 9).await;
    let mut wrong = items(0..9);
    wrong[3].address = "nobody".to_owned();
    wrong[7].address.clear();
    let status = create(&world, settings(&server), wrong).await.expect_err("it is wrong");
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let told = &details.bad_request().expect("it lists them").field_violations;
    let fields: Vec<&str> = told.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["items[3].address", "items[7].address"]);
    let listed = world.batches().await.list_batches(v1::ListBatchesRequest::default()).await;
    assert!(listed.expect("a list").into_inner().batches.is_empty());
    assert_eq!(server.recorder().credentials(), 0);
    let none = create(&world, settings(&server), Vec::new()).await.expect_err("it is empty");
    assert_eq!(none.code(), Code::InvalidArgument);
    let first = v1::BatchItems { items: items(0..1) };
    let first = v1::CreateBatchRequest { part: Some(Part::Items(first)) };
    let stream = tokio_stream::iter([first]);
    let wrong = world.batches().await.create_batch(stream).await.expect_err("no settings");
    assert_eq!(wrong.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_its_tenants_only() {
    let world = World::with(config(), tenants()).await;
    let server = mail(Server::pop3(), 2).await;
    let stream = || tokio_stream::iter(parts(settings(&server), items(0..2)));
    let refused = world.batches().await.create_batch(stream()).await;
    assert_eq!(refused.expect_err("no token").code(), Code::Unauthenticated);
    let mut client = world.batches().await;
    let refused = client.create_batch(as_tenant(CRM_READS, stream())).await;
    assert_eq!(refused.expect_err("a reader").code(), Code::PermissionDenied);
    let answer = client.create_batch(as_tenant(CRM, stream())).await.expect("it is taken");
    let name = answer.into_inner().batch.expect("a batch").name;
    let asked = || v1::GetBatchRequest { name: name.clone() };
    assert!(client.get_batch(as_tenant(CRM_READS, asked())).await.is_ok());
    let hidden = client.get_batch(as_tenant(ERP, asked())).await.expect_err("another tenant's");
    assert_eq!((hidden.code(), reason(&hidden).as_str()), (Code::NotFound, "BATCH_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_request_id_is_new_each_time() {
    let world = World::start(config()).await;
    let server = mail(Server::pop3(), 1).await;
    let one = begin(&world, settings(&server), items(0..1)).await;
    let other = begin(&world, settings(&server), items(0..1)).await;
    assert_ne!(one, other);
    for name in [one, other] {
        reaches(&world, &name, State::Done).await;
        assert!(get(&world, &name).await.expect("it is known").end_time.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_taken_as_fast_as_it_is_stored_and_not_faster() {
    const ITEMS: usize = 10_000;
    const PART: usize = 100;
    let world = World::start(config()).await;
    let server = mail(Server::pop3(), 0).await;
    let shared = settings(&server);
    let store = Arc::clone(&world.ground.store);
    let (mut taken, most) = (0, Arc::new(AtomicU64::new(0)));
    let items = (0..ITEMS).step_by(PART).map({
        let most = Arc::clone(&most);
        move |from| {
            // What is on its way and not stored: at the caller, in the network, at the gateway.
            most.fetch_max(taken - store.items_added(), Ordering::SeqCst);
            taken += PART as u64;
            let long = |number: usize| format!("{number:0>250}");
            let item = |number| v1::BatchItem {
                address: address(number),
                key: long(number),
                login: Some(v1::Login { username: long(number), credential: None }),
                ..v1::BatchItem::default()
            };
            let items =
                Part::Items(v1::BatchItems { items: (from..from + PART).map(item).collect() });
            v1::CreateBatchRequest { part: Some(items) }
        }
    });
    let first = v1::CreateBatchRequest { part: Some(Part::Settings(Box::new(shared))) };
    let stream = tokio_stream::iter(std::iter::once(first).chain(items));
    let answer = world.batches().await.create_batch(stream).await.expect("it is taken");
    let batch = answer.into_inner().batch.expect("a batch");
    assert_eq!(batch.counts.expect("counts").total, ITEMS as u64);
    let asked = v1::CancelBatchRequest { name: batch.name.clone() };
    world.batches().await.cancel_batch(asked).await.expect("it is known");
    // Two windows of HTTP/2, of 1 MiB each, hold some 3,500 of these.
    let most = most.load(Ordering::SeqCst);
    assert!(most < 6_000, "{most} items were on their way at once");
}
