//! A caller of the fleet: submits validations through every gateway, tries again where a
//! gateway is not there, and writes down what it was promised and what it got.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use mailfleet_api::v1;
use mailfleet_api::v1::job_service_client::JobServiceClient;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

use super::ground::{CRM, Ground, Tenant, as_tenant};
use super::mail::{Mail, PASSWORD, mailbox};

/// A password that no mailbox has.
pub(crate) const WRONG: &str = "pw-WRONG-0000";
/// Submissions at once.
const AT_ONCE: usize = 24;
/// How often open jobs are looked for, and a gateway that is not there is tried again.
const LOOK: Duration = Duration::from_millis(250);
/// Longest time in which no gateway answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a job may take, unless a test wants less.
pub(crate) const BUDGET: Duration = Duration::from_secs(240);

/// One validation that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) pair: usize,
    pub(crate) mailbox: String,
    pub(crate) is_right: bool,
    pub(crate) tenant: Tenant,
    pub(crate) budget: Duration,
}

/// Which validations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) n_jobs: usize,
    /// The first mailbox of each pair.
    pub(crate) from: usize,
    /// One in so many has a wrong password; none: 0.
    pub(crate) wrong_one_in: usize,
    /// Whose they are, one after the other.
    pub(crate) tenants: &'static [Tenant],
    pub(crate) budget: Duration,
    /// Time from one submission to the next; none: as fast as they are accepted.
    pub(crate) pace: Duration,
}

impl Load {
    /// So many jobs of the usual caller, a tenth of them with a wrong password.
    pub(crate) const fn of(n_jobs: usize) -> Self {
        let pace = Duration::ZERO;
        Self { n_jobs, from: 0, wrong_one_in: 10, tenants: &[CRM], budget: BUDGET, pace }
    }

    /// The validations, each of a mailbox of its own.
    pub(crate) fn orders(self, ground: &Ground) -> Vec<Order> {
        let n_pairs = ground.size.mail.n_pairs;
        let last = self.from + self.n_jobs.div_ceil(n_pairs);
        assert!(last <= ground.size.mail.n_mailboxes, "too few mailboxes");
        let order = |index: usize| Order {
            pair: index % n_pairs,
            mailbox: mailbox(index % n_pairs, self.from + index / n_pairs),
            is_right: self.wrong_one_in == 0 || index % self.wrong_one_in != self.wrong_one_in - 1,
            tenant: self.tenants[index / n_pairs % self.tenants.len()],
            budget: self.budget,
        };
        (0..self.n_jobs).map(order).collect()
    }
}

/// What became of an accepted job.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) order: Order,
    pub(crate) job: String,
    /// When its cancellation was answered, in microseconds since 1970.
    pub(crate) cancelled: Option<u64>,
    /// As it was when it was first seen to have ended.
    pub(crate) first: Option<v1::Job>,
    /// As every gateway showed it at the end.
    pub(crate) last: Vec<v1::Job>,
}

type History = BTreeMap<String, Outcome>;

/// A caller. Clones write one history.
#[derive(Clone)]
pub(crate) struct Client {
    channels: Vec<Channel>,
    history: Arc<Mutex<History>>,
}

/// Now, as the mail servers write it down.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_micros()).expect("not yet")
}

impl Client {
    /// Calls the gateways of now; a gateway that is replaced is found again at its place.
    pub(crate) fn new(ground: &Ground) -> Self {
        Self { channels: ground.channels(), history: Arc::default() }
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to submit; the task ends when all are accepted.
    pub(crate) fn submit(&self, ground: &Ground, load: Load) -> JoinHandle<()> {
        self.send(ground, load.orders(ground), load.pace)
    }

    /// The same with orders that the test chose.
    pub(crate) fn send(
        &self,
        ground: &Ground,
        orders: Vec<Order>,
        pace: Duration,
    ) -> JoinHandle<()> {
        let request = |order: &Order| {
            let password = if order.is_right { PASSWORD } else { WRONG };
            request(&ground.mail, order, password)
        };
        let requests: Vec<_> = orders.iter().map(request).collect();
        let client = self.clone();
        tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            let mut calls = JoinSet::new();
            let mut turns = interval(pace.max(Duration::from_millis(1)));
            for (index, (order, request)) in orders.into_iter().zip(requests).enumerate() {
                turns.tick().await;
                let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
                let client = client.clone();
                calls.spawn(async move {
                    client.accepted(index, order, request).await;
                    drop(place);
                });
            }
            while let Some(ended) = calls.join_next().await {
                ended.expect("accepted");
            }
        })
    }

    /// Submits one until some gateway has accepted it.
    async fn accepted(&self, index: usize, order: Order, request: v1::ValidateRequest) {
        let tenant = order.tenant;
        let answer = self
            .ask(index, |channel| {
                let message = v1::SubmitValidationRequest { validation: Some(request.clone()) };
                let mut client = ValidationServiceClient::new(channel);
                async move { client.submit_validation(as_tenant(tenant, message)).await }
            })
            .await;
        self.adopt(order, answer.job.expect("always set").name, None);
    }

    /// Writes down a job that was accepted, and when it was seen to be cancelled.
    pub(crate) fn adopt(&self, order: Order, job: String, cancelled: Option<u64>) {
        let outcome = Outcome { order, job: job.clone(), cancelled, first: None, last: vec![] };
        let before = self.history().insert(job, outcome);
        assert!(before.is_none(), "one job for two requests: {before:?}");
    }

    /// Asks one gateway after the other until one answers.
    pub(crate) async fn ask<T, F>(&self, first: usize, mut call: impl FnMut(Channel) -> F) -> T
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let began = Instant::now();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.tick().await;
        for turn in first.. {
            match call(self.channels[turn % self.channels.len()].clone()).await {
                Ok(answer) => return answer.into_inner(),
                Err(status) if may_pass(&status) && began.elapsed() < PATIENCE => {}
                Err(status) => panic!("refused: {status:?}"),
            }
            looks.tick().await;
        }
        unreachable!("turns do not end")
    }

    /// Cancels every `one_in`-th job of those that were accepted, all at once.
    pub(crate) async fn cancel(&self, one_in: usize) -> usize {
        let jobs: Vec<(usize, String, Tenant)> = self
            .history()
            .values()
            .enumerate()
            .filter(|(index, _)| index % one_in == 0)
            .map(|(index, outcome)| (index, outcome.job.clone(), outcome.order.tenant))
            .collect();
        let mut calls = JoinSet::new();
        for (index, name, tenant) in jobs {
            let client = self.clone();
            calls.spawn(async move {
                let asked = name.clone();
                let answer = client
                    .ask(index, |channel| {
                        let message = v1::CancelJobRequest { name: asked.clone() };
                        let mut jobs = JobServiceClient::new(channel);
                        async move { jobs.cancel_job(as_tenant(tenant, message)).await }
                    })
                    .await;
                let job = answer.job.expect("always set");
                // It may have been done before.
                let is_cancelled = job.state() == v1::job::State::Cancelled;
                if is_cancelled && let Some(outcome) = client.history().get_mut(&name) {
                    outcome.cancelled = Some(now_us());
                }
                is_cancelled
            });
        }
        let mut n_cancelled = 0;
        while let Some(ended) = calls.join_next().await {
            n_cancelled += usize::from(ended.expect("cancelled"));
        }
        n_cancelled
    }

    /// Waits until nothing is open, then lets every gateway show every job.
    pub(crate) async fn finish(&self, limit: Duration) -> Vec<Outcome> {
        let began = Instant::now();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let open = self.note_ended().await;
            if open.is_empty() {
                break;
            }
            if limit < began.elapsed() {
                panic!("{} jobs are open: {}", open.len(), self.why(&open).await);
            }
        }
        let jobs: Vec<(String, Tenant)> =
            self.history().values().map(|it| (it.job.clone(), it.order.tenant)).collect();
        for (name, tenant) in jobs {
            let mut last = Vec::new();
            for gateway in 0..self.channels.len() {
                last.push(self.show(gateway, &name, tenant).await);
            }
            self.history().get_mut(&name).expect("known").last = last;
        }
        self.history().values().cloned().collect()
    }

    /// Notes every job that has ended since the last look; gives those that have not.
    async fn note_ended(&self) -> Vec<String> {
        let mut open = Vec::new();
        for tenant in self.tenants() {
            open.extend(self.open(tenant).await);
        }
        let unseen: Vec<(String, Tenant)> = self
            .history()
            .values()
            .filter(|outcome| outcome.first.is_none() && !open.contains(&outcome.job))
            .map(|outcome| (outcome.job.clone(), outcome.order.tenant))
            .collect();
        for (index, (name, tenant)) in unseen.into_iter().enumerate() {
            let job = self.show(index, &name, tenant).await;
            if job.state() == v1::job::State::Open {
                open.push(name);
            } else if let Some(outcome) = self.history().get_mut(&name) {
                outcome.first = Some(job);
            }
        }
        let history = self.history();
        open.retain(|name| history.contains_key(name));
        open
    }

    fn tenants(&self) -> Vec<Tenant> {
        let mut tenants: Vec<Tenant> = Vec::new();
        for outcome in self.history().values() {
            if !tenants.contains(&outcome.order.tenant) {
                tenants.push(outcome.order.tenant);
            }
        }
        tenants
    }

    /// The names of a tenant's open jobs.
    async fn open(&self, tenant: Tenant) -> Vec<String> {
        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let states = vec![v1::job::State::Open.into()];
            let message =
                v1::ListJobsRequest { page_size: 200, page_token, states, ..Default::default() };
            let page = self
                .ask(0, |channel| {
                    let mut jobs = JobServiceClient::new(channel);
                    let message = message.clone();
                    async move { jobs.list_jobs(as_tenant(tenant, message)).await }
                })
                .await;
            names.extend(page.jobs.into_iter().map(|job| job.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return names;
            }
        }
    }

    /// A job as one gateway shows it.
    async fn show(&self, gateway: usize, name: &str, tenant: Tenant) -> v1::Job {
        let answer = self
            .ask(gateway, |channel| {
                let message = v1::GetJobRequest { name: name.to_owned(), ..Default::default() };
                let mut jobs = JobServiceClient::new(channel);
                async move { jobs.get_job(as_tenant(tenant, message)).await }
            })
            .await;
        answer.job.expect("always set")
    }

    /// What the fleet says about some of the jobs.
    pub(crate) async fn explanations(&self) -> Vec<v1::ExplainJobResponse> {
        let jobs: Vec<String> = self.history().keys().take(5).cloned().collect();
        let mut explained = Vec::new();
        for name in jobs {
            explained.push(self.explain(&name).await);
        }
        explained
    }

    async fn explain(&self, name: &str) -> v1::ExplainJobResponse {
        self.ask(0, |channel| {
            let message = v1::ExplainJobRequest { name: name.to_owned(), ..Default::default() };
            let mut jobs = JobServiceClient::new(channel);
            async move { jobs.explain_job(as_tenant(CRM, message)).await }
        })
        .await
    }

    /// What the fleet says about jobs that do not end.
    async fn why(&self, open: &[String]) -> String {
        let mut told = String::new();
        for name in open.iter().take(5) {
            let answer = self.explain(name).await;
            told.push_str(&format!("\n{name}: {}", answer.summary));
            for leg in answer.legs {
                told.push_str(&format!("\n  {}", leg.text));
            }
        }
        told
    }
}

/// Whether another try, or another gateway, may have more luck.
fn may_pass(status: &Status) -> bool {
    // A gateway that is killed in the middle of a call says nothing that could be read.
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded
    )
}

fn request(mail: &Mail, order: &Order, password: &str) -> v1::ValidateRequest {
    let budget = order.budget.try_into().expect("a span of time");
    v1::ValidateRequest {
        request_id: Uuid::new_v4().to_string(),
        budget: Some(budget),
        ..mail.pairs[order.pair].request(&order.mailbox, password)
    }
}
