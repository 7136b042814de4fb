//! A run: one question, from the asking to the stored outcome.

use std::time::Duration;

use monitor_runtime::context;
use tokio::time::timeout;
use uuid::Uuid;

use crate::agents::{self, ResearchError};
use crate::question::Question;
use crate::skills::Answer;
use crate::store::{EndedRun, Status, Store};

/// An answered question.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) run_id: String,
    pub(crate) answer: Answer,
    pub(crate) rounds: i32,
}

/// Why a run has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Research(#[from] ResearchError),
    #[error("no answer within {limit:?}")]
    TimedOut { limit: Duration },
    #[error("the run cannot be stored")]
    Store(#[from] sqlx::Error),
}

/// Asks the agents, who have so long for an answer, and stores the run however it ends.
///
/// # Cancel safety
///
/// Dropped before its end, it stores the run as abandoned, in a task of its own.
pub(crate) async fn ask(store: &Store, question: &Question, limit: Duration) -> Result<Reply, RunError> {
    let mut run = Run::begin(store, question);
    context::bind("run_id", &run.record.id);
    let answering = timeout(limit, agents::answer(store, question, &mut run.record.rounds)).await;
    let answered = answering.map_err(|_| RunError::TimedOut { limit }).and_then(|answered| Ok(answered?));
    run.end(answered).await
}

/// A run that is stored when it ends, or when it is dropped before.
struct Run {
    store: Store,
    record: EndedRun,
    is_settled: bool,
}

impl Run {
    fn begin(store: &Store, question: &Question) -> Self {
        let record = EndedRun {
            id: Uuid::now_v7().to_string(),
            question: question.text().to_owned(),
            status: Status::Abandoned,
            rounds: 0,
            answer: None,
        };
        Self { store: store.clone(), record, is_settled: false }
    }

    async fn end(mut self, answered: Result<Answer, RunError>) -> Result<Reply, RunError> {
        self.record.status = status(&answered);
        self.record.answer = answered.as_ref().ok().map(|answer| answer.text.clone());
        let saved = self.store.save_run(&self.record).await;
        // Tried once is enough where the database is down.
        self.is_settled = true;
        saved?;
        let (run_id, rounds) = (self.record.id.clone(), self.record.rounds);
        tracing::info!(status = self.record.status.as_str(), rounds, "run ended");
        answered.map(|answer| Reply { run_id, answer, rounds })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.is_settled {
            let (store, record) = (self.store.clone(), self.record.clone());
            // Should it fail, the query's own log line says so.
            context::spawn(async move { store.save_run(&record).await });
        }
    }
}

fn status(answered: &Result<Answer, RunError>) -> Status {
    match answered {
        Ok(_) => Status::Answered,
        Err(RunError::Research(ResearchError::NothingFound)) => Status::Unanswered,
        Err(RunError::TimedOut { .. }) => Status::TimedOut,
        Err(RunError::Research(ResearchError::Search(_)) | RunError::Store(_)) => Status::Failed,
    }
}
