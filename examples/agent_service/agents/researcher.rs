//! The agent that looks a question up and drafts an answer.

use monitor_runtime::track_agent;

use crate::model::{Model, ModelError};
use crate::question::Question;
use crate::search::Search;
use crate::skills::{Answer, compose_answer, missing, rank_passages, search_notes};
use crate::store::Store;

/// The reason why there is no draft.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResearchError {
    #[error("the notes have no answer to this question")]
    NothingFound,
    #[error("the notes cannot be searched")]
    Search(#[from] sqlx::Error),
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Drafts an answer. `left_open` has the terms that the reviewer missed in the previous round's draft.
///
/// The first draft may be empty: one strict search finds nothing for many good questions. A later draft that covers less than
/// half of the question's terms is not an answer.
#[track_agent("researcher", fields(round), log_errors = "warn", objective(success = 95, latency = "2s@99"))]
pub(super) async fn research(
    store: &Store,
    model: &Model,
    question: &Question,
    round: i32,
    left_open: &[String],
) -> Result<Answer, ResearchError> {
    let terms = question.terms();
    let passages = search_notes(store, &plan(terms, round, left_open)).await?;
    let draft = compose_answer(model, question, &rank_passages(terms, passages)).await?;
    if round > 1 && missing(terms, &draft.in_full()).len() * 2 > terms.len() {
        return Err(ResearchError::NothingFound);
    }
    Ok(draft)
}

/// The searches of a round, wider from round to round.
fn plan(terms: &[String], round: i32, left_open: &[String]) -> Vec<Search> {
    let mut searches = vec![Search::All(terms.to_vec())];
    if round > 1 {
        searches.push(Search::Any(terms.to_vec()));
    }
    if round > 2 {
        // Each term alone, so that a term with many passages does not crowd out one with few.
        searches.extend(left_open.iter().map(|term| Search::Any(vec![term.clone()])));
    }
    searches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_searches_wider() {
        let terms = ["green".to_owned(), "tea".to_owned()];
        let searches =
            |round| -> Vec<_> { plan(&terms, round, &terms[1..]).iter().map(ToString::to_string).collect() };
        assert_eq!(searches(1), [r#""green" "tea""#]);
        assert_eq!(searches(2), [r#""green" "tea""#, r#""green" OR "tea""#]);
        assert_eq!(searches(3), [r#""green" "tea""#, r#""green" OR "tea""#, r#""tea""#]);
    }
}
