//! What is asked of the gateway: validations of five kinds, until each has its answer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::endpoint::{Protocol, Security};
use mailfleet_api::v1::job_service_client::JobServiceClient;
use mailfleet_api::v1::login::Credential;
use mailfleet_api::v1::test_mail::Mode;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use tokio::sync::Notify;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use super::mails::{Mail, Mails, RIGHT, address};

/// A report holds the chain of certificates of each leg.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// One validation that is asked for, and what was answered so far.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) number: usize,
    pub(super) request_id: Uuid,
    /// The job, once the gateway has said that it is accepted.
    pub(super) job: Option<String>,
    /// The report, where the stream brought it.
    pub(super) report: Option<v1::Report>,
    /// How often the gateway had been killed when it was first asked.
    pub(super) since: u32,
}

/// What an order asks for, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Receiving and sending, nothing is sent.
    Both,
    /// Receiving and sending, with a test mail to the mailbox itself.
    TestMail,
    /// A wrong password, tried in both directions.
    WrongInBoth,
    /// A wrong password for receiving alone.
    Wrong,
    /// Receiving by POP3.
    Pop3,
}

impl Order {
    pub(super) fn new(number: usize, request_id: Uuid, since: u32) -> Self {
        Self { number, request_id, job: None, report: None, since }
    }

    pub(super) fn kind(&self) -> Kind {
        let kinds = [Kind::TestMail, Kind::Both, Kind::WrongInBoth, Kind::Pop3, Kind::Wrong];
        kinds.get(self.number % kinds.len()).copied().expect("within the list")
    }

    fn request(&self, mails: &Mails) -> v1::ValidateRequest {
        let index = self.number / 5 % 2;
        let (imap, smtp) = (&mails.imap, &mails.smtp);
        let (imap, smtp) = imap.get(index).zip(smtp.get(index)).expect("two of each");
        let kind = self.kind();
        let incoming = match kind {
            Kind::Pop3 => endpoint(Protocol::Pop3, &mails.pop3),
            Kind::Both | Kind::TestMail | Kind::WrongInBoth | Kind::Wrong => {
                endpoint(Protocol::Imap, imap)
            }
        };
        let outgoing = match kind {
            Kind::Both | Kind::TestMail | Kind::WrongInBoth => Some(endpoint(Protocol::Smtp, smtp)),
            Kind::Wrong | Kind::Pop3 => None,
        };
        let password = match kind {
            // Of its own, so that no refusal of another mailbox is about it.
            Kind::Wrong | Kind::WrongInBoth => format!("wrong-pw-{}", self.number),
            Kind::Both | Kind::TestMail | Kind::Pop3 => RIGHT.to_owned(),
        };
        let mode = if kind == Kind::TestMail { Mode::ToSelf } else { Mode::Envelope };
        v1::ValidateRequest {
            request_id: self.request_id.to_string(),
            address: address(self.number),
            incoming: vec![incoming],
            outgoing,
            login: Some(v1::Login {
                username: address(self.number),
                credential: Some(Credential::Password(password.into_bytes())),
            }),
            test_mail: Some(v1::TestMail { mode: mode.into(), recipient: String::new() }),
            budget: Duration::from_secs(150).try_into().ok(),
            arrival_timeout: Duration::from_secs(3).try_into().ok(),
            ..v1::ValidateRequest::default()
        }
    }
}

fn endpoint(protocol: Protocol, mail: &Mail) -> v1::LegSettings {
    let (host, port) = mail.at();
    v1::LegSettings {
        endpoint: Some(v1::Endpoint {
            protocol: protocol.into(),
            host,
            port: port.into(),
            security: Security::Tls.into(),
        }),
        login: None,
    }
}

/// Orders on their way through any number of gateways' lives.
#[derive(Debug, Default)]
pub(super) struct Desk {
    waiting: Mutex<VecDeque<Order>>,
    accepted: Mutex<Vec<Order>>,
    answers: AtomicU64,
    answered: Notify,
}

impl Desk {
    pub(super) fn add(&self, order: Order) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(order);
    }

    fn next(&self) -> Option<Order> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The orders that the gateway has accepted.
    pub(super) fn accepted(&self) -> Vec<Order> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::SeqCst)
    }

    /// Waits until so many orders were accepted in all.
    pub(super) async fn answers_reach(&self, count: u64) {
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            if count <= self.answers() {
                return;
            }
            answered.await;
        }
    }

    fn accept(&self, order: Order) {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(order);
    }

    fn counted(&self) {
        self.answers.fetch_add(1, Ordering::SeqCst);
        self.answered.notify_waiters();
    }

    /// Asks for one order after the other until there is none, or a call fails. Whatever was
    /// not accepted is put back.
    pub(super) async fn work(&self, channel: Channel, mails: &Mails) -> Result<(), Status> {
        let client = ValidationServiceClient::new(channel);
        let mut client = client.max_decoding_message_size(MAX_MESSAGE);
        while let Some(mut order) = self.next() {
            let asked = if order.number % 3 == 0 {
                self.validate(&mut client, &mut order, mails).await
            } else {
                self.submit(&mut client, &mut order, mails).await
            };
            if order.job.is_some() {
                self.accept(order);
            } else {
                assert!(asked.is_err(), "an answer without a job");
                self.add(order);
            }
            asked?;
        }
        Ok(())
    }

    /// Submits one order.
    pub(super) async fn one(&self, channel: Channel, mails: &Mails) -> Result<(), Status> {
        let client = ValidationServiceClient::new(channel);
        let mut client = client.max_decoding_message_size(MAX_MESSAGE);
        let mut order = self.next().expect("an order is left");
        let asked = self.submit(&mut client, &mut order, mails).await;
        if order.job.is_some() {
            self.accept(order)
        } else {
            self.add(order)
        }
        asked
    }

    async fn submit(
        &self,
        client: &mut ValidationServiceClient<Channel>,
        order: &mut Order,
        mails: &Mails,
    ) -> Result<(), Status> {
        let validation = Some(order.request(mails));
        let answer = client.submit_validation(v1::SubmitValidationRequest { validation }).await?;
        let job = answer.into_inner().job.expect("always set");
        order.job = Some(job.name);
        self.counted();
        Ok(())
    }

    async fn validate(
        &self,
        client: &mut ValidationServiceClient<Channel>,
        order: &mut Order,
        mails: &Mails,
    ) -> Result<(), Status> {
        let mut stream = client.validate(order.request(mails)).await?.into_inner();
        while let Some(message) = stream.message().await? {
            match message.event {
                Some(Event::Accepted(accepted)) => {
                    assert_eq!(accepted.request_id, order.request_id.to_string());
                    order.job = Some(format!("jobs/{}", accepted.job_id));
                    self.counted();
                }
                Some(Event::Report(report)) => order.report = Some(report),
                Some(Event::Step(_)) | None => {}
            }
        }
        Ok(())
    }
}

/// Waits for the end of a job.
pub(super) async fn ended(channel: Channel, name: &str) -> v1::Job {
    let client = JobServiceClient::new(channel);
    let mut client = client.max_decoding_message_size(MAX_MESSAGE);
    let request = v1::WatchJobRequest { name: name.to_owned(), ..Default::default() };
    let stream = client.watch_job(request).await;
    let mut stream = stream.unwrap_or_else(|status| panic!("{name}: {status}")).into_inner();
    let mut last = None;
    while let Some(news) = stream.message().await.expect("the gateway lives") {
        last = news.job.or(last);
    }
    last.expect("the stream begins with how the job is")
}

/// Every job that the gateway knows.
pub(super) async fn all_jobs(channel: Channel) -> Vec<v1::Job> {
    let mut client = JobServiceClient::new(channel);
    let mut request = v1::ListJobsRequest { page_size: 200, ..Default::default() };
    let mut jobs = Vec::new();
    loop {
        let page = client.list_jobs(request.clone()).await.expect("a page").into_inner();
        jobs.extend(page.jobs);
        if page.next_page_token.is_empty() {
            return jobs;
        }
        request.page_token = page.next_page_token;
    }
}

/// A job as it is now.
pub(super) async fn job(channel: Channel, name: &str) -> v1::Job {
    let client = JobServiceClient::new(channel);
    let mut client = client.max_decoding_message_size(MAX_MESSAGE);
    let request = v1::GetJobRequest { name: name.to_owned(), ..Default::default() };
    let answer = client.get_job(request).await;
    answer.unwrap_or_else(|status| panic!("{name}: {status}")).into_inner().job.expect("always set")
}
