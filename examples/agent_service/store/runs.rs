//! Queries on the runs.

use monitor_runtime::track_query;
use serde::Serialize;

use super::Store;

/// The outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// With an answer.
    Answered,
    /// The notes have no answer.
    Unanswered,
    /// An error occurred.
    Failed,
    /// It took too long.
    TimedOut,
    /// The client did not wait for it.
    Abandoned,
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub(crate) struct EndedRun {
    /// Sorts by the start time of the run.
    pub(crate) id: String,
    pub(crate) question: String,
    pub(crate) status: Status,
    pub(crate) rounds: i32,
    pub(crate) answer: Option<String>,
}

/// A run as it is listed.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(crate) struct ListedRun {
    answer_id: String,
    question: String,
    status: String,
    rounds: i32,
    answer: Option<String>,
    /// RFC 3339, in UTC, by the database's clock.
    ended_at: String,
}

impl Store {
    /// Stores a run, unless it is stored already; the database sets the time.
    #[track_query("save_run", fields(status = run.status.as_str()))]
    pub(crate) async fn save_run(&self, run: &EndedRun) -> sqlx::Result<()> {
        let insert = sqlx::query(
            "INSERT INTO runs (run_id, question, status, rounds, answer) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (run_id) DO NOTHING",
        );
        let run = insert
            .bind(&run.id)
            .bind(&run.question)
            .bind(run.status.as_str())
            .bind(run.rounds)
            .bind(&run.answer);
        run.execute(&self.pool).await.map(drop)
    }

    /// Lists the runs that started last, the newest first.
    #[track_query("recent_runs")]
    pub(crate) async fn recent_runs(&self, limit: i64) -> sqlx::Result<Vec<ListedRun>> {
        sqlx::query_as(
            "SELECT run_id AS answer_id, question, status, rounds, answer, ended_at FROM runs ORDER BY run_id DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await
    }
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unanswered => "unanswered",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Abandoned => "abandoned",
        }
    }
}
