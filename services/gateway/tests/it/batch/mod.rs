//! Batches as their callers see them, on simulated mail servers.

mod guard;
mod steer;
mod upload;

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::batch_service_client::BatchServiceClient;
use mailfleet_api::v1::create_batch_request::Part;
use mailfleet_mailsim::{Fault, Running, Server};
use tokio::time::{sleep, timeout};
use tonic::Status;
use tonic::transport::Channel;

use crate::calls::{PASSWORD, leg, login};
use crate::world::{PATIENCE, World};

/// What a server says to a password that is wrong for good.
const REFUSED: &str = "-ERR [AUTH] Authentication failed.";

fn refusal() -> Fault {
    Fault::Reply(REFUSED.to_owned())
}

impl World {
    async fn batches(&self) -> BatchServiceClient<Channel> {
        BatchServiceClient::new(self.channel().await)
    }
}

fn address(number: usize) -> String {
    format!("user{number}@example.test")
}

/// A server that knows these many mailboxes, by one password.
async fn mail(server: Server, mailboxes: usize) -> Running {
    let known = |server: Server, number| server.mailbox(address(number), PASSWORD);
    (0..mailboxes).fold(server, known).start().await.expect("a free port")
}

/// Settings for POP3 mailboxes at one server.
fn settings(server: &Running) -> v1::BatchSettings {
    v1::BatchSettings {
        incoming: vec![leg(server, v1::endpoint::Protocol::Pop3)],
        login: Some(login(PASSWORD)),
        ..v1::BatchSettings::default()
    }
}

fn items(numbers: std::ops::Range<usize>) -> Vec<v1::BatchItem> {
    let item = |number| v1::BatchItem { address: address(number), ..v1::BatchItem::default() };
    numbers.map(item).collect()
}

fn parts(settings: v1::BatchSettings, items: Vec<v1::BatchItem>) -> Vec<v1::CreateBatchRequest> {
    let items = Part::Items(v1::BatchItems { items });
    let parts = [Part::Settings(Box::new(settings)), items];
    parts.map(|part| v1::CreateBatchRequest { part: Some(part) }).into()
}

/// Uploads a batch.
async fn create(
    world: &World,
    settings: v1::BatchSettings,
    items: Vec<v1::BatchItem>,
) -> Result<v1::CreateBatchResponse, Status> {
    let stream = tokio_stream::iter(parts(settings, items));
    world.batches().await.create_batch(stream).await.map(tonic::Response::into_inner)
}

/// Uploads a batch that must be taken; its name.
async fn begin(world: &World, settings: v1::BatchSettings, items: Vec<v1::BatchItem>) -> String {
    let answer = create(world, settings, items).await.expect("it is taken");
    answer.batch.expect("a batch").name
}

async fn get(world: &World, name: &str) -> Result<v1::Batch, Status> {
    let asked = v1::GetBatchRequest { name: name.to_owned() };
    let answer = world.batches().await.get_batch(asked).await?;
    Ok(answer.into_inner().batch.expect("a batch"))
}

/// Waits until the batch is in a state.
async fn reaches(world: &World, name: &str, state: v1::batch::State) -> v1::Batch {
    let asking = async {
        loop {
            let batch = get(world, name).await.expect("it is known");
            if batch.state() == state {
                return batch;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("never {state:?}"))
}

/// All items of a batch.
async fn results(world: &World, name: &str) -> Vec<v1::BatchItemResult> {
    let asked = v1::ListBatchItemsRequest { name: name.to_owned(), ..Default::default() };
    let answer = world.batches().await.list_batch_items(asked).await.expect("it is known");
    answer.into_inner().items
}
