//! What holds at the owners, as they tell it when they are asked: best effort, within half a
//! second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Control, GatewayQueue, GroupId, GroupState, HeldLeg, Store, WorkerId,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::gateway::Gateway;

/// Longest wait for answers.
const PATIENCE: Duration = Duration::from_millis(500);
/// Answers to one question that are kept: one from each worker.
const ANSWERS: usize = 1_024;

/// What one owner says.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) worker: WorkerId,
    pub(crate) groups: Vec<GroupState>,
    /// The legs of the job that was asked about; `None` if its version does not tell.
    pub(crate) held: Option<Vec<HeldLeg>>,
}

impl Answer {
    /// What it says about a group.
    pub(crate) fn state(&self, group: &GroupId) -> Option<&GroupState> {
        self.groups.iter().find(|state| state.group == *group)
    }
}

/// The questions that are open.
#[derive(Debug, Default)]
pub(crate) struct Questions(Mutex<HashMap<u64, mpsc::Sender<Answer>>>);

impl Questions {
    /// An owner answers; to a question of another gateway, or too late: nobody listens.
    pub(crate) fn heard(&self, request: u64, answer: Answer) {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = open.get(&request) {
            drop(sender.try_send(answer));
        }
    }

    fn open(&self) -> (Open<'_>, mpsc::Receiver<Answer>) {
        // Every gateway hears every answer: random, so that no two ask under one number.
        let (request, _) = Uuid::new_v4().as_u64_pair();
        let (sender, answers) = mpsc::channel(ANSWERS);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request, sender);
        (Open { questions: self, request }, answers)
    }
}

/// A question; closed when dropped.
struct Open<'a> {
    questions: &'a Questions,
    request: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut open = self.questions.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&self.request);
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// What its owner says about a group; `None` if nobody answers.
    pub(crate) async fn state(&self, group: &GroupId) -> Option<GroupState> {
        self.owner(group, None).await.and_then(|answer| answer.state(group).cloned())
    }

    /// What its owner says about a group and about the legs of a job; `None` if nobody answers.
    pub(crate) async fn owner(&self, group: &GroupId, job: Option<JobId>) -> Option<Answer> {
        self.ask(Some(group.clone()), job, 1).await.pop()
    }

    /// What all owners say about their groups.
    pub(crate) async fn states(&self) -> Vec<GroupState> {
        let owners = self.members.all(self.now());
        let owners = owners.iter().filter(|member| !member.news.shards.is_empty()).count();
        let answers = self.ask(None, None, owners.max(1)).await;
        answers.into_iter().flat_map(|answer| answer.groups).collect()
    }

    async fn ask(&self, group: Option<GroupId>, job: Option<JobId>, most: usize) -> Vec<Answer> {
        let (question, mut answers) = self.questions.open();
        let until = Instant::now() + PATIENCE;
        let request = question.request;
        self.link.broadcast(&Control::StateWanted { request, group, job }).await;
        let mut heard: Vec<Answer> = Vec::new();
        while heard.len() < most {
            let Ok(Some(answer)) = timeout_at(until, answers.recv()).await else { break };
            if heard.iter().all(|other| other.worker != answer.worker) {
                heard.push(answer);
            }
        }
        heard
    }
}
