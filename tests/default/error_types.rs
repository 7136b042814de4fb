//! Errors that classify themselves: their outcomes, and the types under which they are counted and logged.

use std::fmt;

use futures_util::stream::{self, Stream, StreamExt as _};
use monitor_runtime::testing::{Recording, capture_logs, capture_logs_async};
use monitor_runtime::{Classify, Outcome, metrics, track_agent, track_query, track_skill};
use serde_json::Value;

#[derive(Debug)]
enum LoginError {
    WrongPassword,
    Abandoned,
    Database(&'static str),
    Other,
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for LoginError {}

impl Classify for LoginError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::WrongPassword => Outcome::Success,
            Self::Abandoned => Outcome::Cancelled,
            Self::Database(_) | Self::Other => Outcome::Error,
        }
    }

    fn error_type(&self) -> Option<&'static str> {
        match self {
            Self::WrongPassword => Some("wrong_password"),
            Self::Database(error_type) => Some(error_type),
            Self::Abandoned | Self::Other => None,
        }
    }
}

#[track_agent("sign_in")]
fn sign_in(error: LoginError) -> Result<u8, LoginError> {
    std::hint::black_box(Err(error))
}

#[track_skill("sign_in_later")]
async fn sign_in_later(error: LoginError) -> Result<u8, LoginError> {
    tokio::task::yield_now().await;
    Err(error)
}

#[track_query("find_user", operation = "select")]
fn find_user(error: LoginError) -> Result<u8, LoginError> {
    Err(error)
}

/// The lines about failed calls.
fn failures(lines: Vec<Value>) -> Vec<Value> {
    lines.into_iter().filter(|line| line["logger"] == "monitor_runtime::call").collect()
}

#[test]
fn an_error_counts_under_its_own_outcome() {
    let recording = Recording::start();
    let lines = failures(capture_logs(|| {
        sign_in(LoginError::WrongPassword).unwrap_err();
        sign_in(LoginError::Abandoned).unwrap_err();
    }));
    assert_eq!(lines, [] as [Value; 0]);
    let ended =
        |status| recording.value("agent_executions_total", &[("agent_id", "sign_in"), ("status", status)]);
    assert_eq!(["success", "cancelled", "error"].map(ended), [1.0, 1.0, 0.0]);
    assert_eq!(recording.value("agent_errors_total", &[("agent_id", "sign_in")]), 0.0);
}

#[tokio::test]
async fn an_error_is_counted_and_logged_by_the_type_that_it_gives() {
    let recording = Recording::start();
    let lines = failures(
        capture_logs_async(async {
            sign_in_later(LoginError::Database("timeout")).await.unwrap_err();
            sign_in_later(LoginError::Database("timeout")).await.unwrap_err();
            sign_in_later(LoginError::Other).await.unwrap_err();
            find_user(LoginError::Database("deadlock")).unwrap_err();
        })
        .await,
    );
    let types: Vec<_> = lines.iter().map(|line| line["error.type"].clone()).collect();
    assert_eq!(types, [Value::from("timeout"), "timeout".into(), Value::Null, "deadlock".into()]);
    let skill = [("skill_id", "sign_in_later")];
    assert_eq!(recording.value("skill_errors_total", &[skill[0], ("error_type", "timeout")]), 2.0);
    assert_eq!(recording.value("skill_errors_total", &skill), 2.0, "an error without a type has no series");
    assert_eq!(recording.value("skill_executions_total", &[skill[0], ("status", "error")]), 3.0);
    let scrape = metrics::render();
    let query = r#"db_query_errors_total{operation="select",query="find_user",error_type="deadlock"} 1"#;
    assert!(scrape.lines().any(|line| line == query), "{scrape}");
}

#[track_agent("sign_in_unlogged", log_errors = false)]
fn sign_in_unlogged() -> Result<u8, LoginError> {
    Err(LoginError::Database("unlogged"))
}

#[track_agent("sign_in_by_rule", error_if = Result::is_err)]
fn sign_in_by_rule(error: LoginError) -> Result<u8, LoginError> {
    Err(error)
}

#[test]
fn an_error_type_is_counted_even_if_not_logged() {
    let recording = Recording::start();
    let lines = failures(capture_logs(|| {
        sign_in_unlogged().unwrap_err();
        sign_in_by_rule(LoginError::WrongPassword).unwrap_err();
    }));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["error.type"], "wrong_password");
    let counted = |id, error_type| {
        recording.value("agent_errors_total", &[("agent_id", id), ("error_type", error_type)])
    };
    assert_eq!(counted("sign_in_unlogged", "unlogged"), 1.0);
    assert_eq!(
        counted("sign_in_by_rule", "wrong_password"),
        1.0,
        "the rule comes before the error's outcome"
    );
}

struct Reply;

impl Classify for Reply {
    fn outcome(&self) -> Outcome {
        Outcome::Error
    }

    fn error_type(&self) -> Option<&'static str> {
        Some("refused")
    }
}

#[track_agent("refuses")]
fn refuses() -> Result<Reply, LoginError> {
    Ok(Reply)
}

#[track_agent("streams_errors")]
fn streams_errors() -> impl Stream<Item = Result<u8, LoginError>> {
    let errors = [LoginError::WrongPassword, LoginError::Database("first"), LoginError::Database("second")];
    stream::iter(errors.map(Err))
}

#[tokio::test]
async fn values_and_items_have_types_as_well() {
    let recording = Recording::start();
    assert!(refuses().is_ok());
    let lines = failures(capture_logs_async(async { assert_eq!(streams_errors().count().await, 3) }).await);
    assert_eq!(lines.iter().map(|line| &line["error.type"]).collect::<Vec<_>>(), ["first", "second"]);
    let counted = |id, error_type| {
        recording.value("agent_errors_total", &[("agent_id", id), ("error_type", error_type)])
    };
    assert_eq!(counted("refuses", "refused"), 1.0);
    assert_eq!(["first", "second"].map(|error_type| counted("streams_errors", error_type)), [1.0, 0.0]);
}
