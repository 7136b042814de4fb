//! A run: one question, from its arrival to the stored outcome.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use monitor_runtime::context;
use tokio::time::timeout;
use uuid::{NoContext, Timestamp, Uuid};

use crate::agents::{self, ResearchError};
use crate::model::Model;
use crate::question::Question;
use crate::skills::Answer;
use crate::store::{EndedRun, Status, Store};

/// An answered question.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer_id: String,
    pub(crate) answer: Answer,
    pub(crate) rounds: i32,
}

/// The reason why a run has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Research(#[from] ResearchError),
    #[error("no answer within {limit:?}")]
    TimedOut { limit: Duration },
    #[error("the run cannot be stored")]
    Store(#[from] sqlx::Error),
}

/// Asks the agents, with a time limit, and stores the run however it ends.
///
/// # Cancel safety
///
/// If it is dropped before its end, it stores the run as abandoned, in its own task.
pub(crate) async fn ask(
    store: &Store,
    model: &Model,
    question: &Question,
    limit: Duration,
) -> Result<Reply, RunError> {
    let mut run = Run::begin(store, question);
    context::bind("answer_id", &run.record.id);
    let answering = timeout(limit, agents::answer(store, model, question, &mut run.record.rounds)).await;
    let answered = answering.map_err(|_| RunError::TimedOut { limit }).and_then(|answered| Ok(answered?));
    run.end(answered).await
}

/// A run that is stored when it ends or is dropped.
struct Run {
    store: Store,
    record: EndedRun,
    is_settled: bool,
}

impl Run {
    fn begin(store: &Store, question: &Question) -> Self {
        let record = EndedRun {
            id: id_at(SystemTime::now()).to_string(),
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
        // One attempt is enough if the database is down.
        self.is_settled = true;
        saved?;
        let (answer_id, rounds) = (self.record.id.clone(), self.record.rounds);
        tracing::info!(status = self.record.status.as_str(), rounds, "run ended");
        answered.map(|answer| Reply { answer_id, answer, rounds })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.is_settled {
            let (store, record) = (self.store.clone(), self.record.clone());
            // If it fails, the query's own log line reports it.
            context::spawn(async move { store.save_run(&record).await });
        }
    }
}

/// An id that sorts by its time. `Uuid::now_v7` panics if the clock is before 1970; such a time counts as 1970.
fn id_at(now: SystemTime) -> Uuid {
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, since_epoch.as_secs(), since_epoch.subsec_nanos()))
}

fn status(answered: &Result<Answer, RunError>) -> Status {
    match answered {
        Ok(_) => Status::Answered,
        Err(RunError::Research(ResearchError::NothingFound)) => Status::Unanswered,
        Err(RunError::TimedOut { .. }) => Status::TimedOut,
        Err(RunError::Research(ResearchError::Search(_) | ResearchError::Model(_)) | RunError::Store(_)) => {
            Status::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn an_id_is_made_whatever_the_clock_shows() {
        let times = [UNIX_EPOCH - 4_000 * DAY, UNIX_EPOCH, UNIX_EPOCH + 3_000_000 * DAY];
        let ids = times.map(|now| [id_at(now), id_at(now)]);
        assert!(ids.iter().all(|[one, other]| one != other && one.get_version_num() == 7), "{ids:?}");
    }

    #[test]
    fn ids_sort_by_their_time() {
        let ids = [0, 1, 20_000].map(|days| id_at(UNIX_EPOCH + days * DAY).to_string());
        assert!(ids.is_sorted(), "{ids:?}");
    }
}
