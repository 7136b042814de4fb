//! The agent that looks a question up and drafts an answer.

use monitor_runtime::track_agent;

use crate::question::Question;
use crate::search::Search;
use crate::skills::{Answer, compose_answer, missing, rank_passages, search_notes};
use crate::store::Store;

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResearchError {
    #[error("the notes have no answer to this question")]
    NothingFound,
    #[error("the notes cannot be searched")]
    Search(#[from] sqlx::Error),
}

/// Drafts an answer. `left_open` is what the reviewer missed in the draft of the round before.
///
/// The first draft may be empty: one strict search finds nothing for many a good question. A later one that speaks of less
/// than half of what was asked is no answer.
#[track_agent("researcher", fields(round), log_errors = "warn", objective(success = 95, latency = "2s@99"))]
pub(super) async fn research(
    store: &Store,
    question: &Question,
    round: i32,
    left_open: &[String],
) -> Result<Answer, ResearchError> {
    let terms = question.terms();
    let passages = search_notes(store, &plan(terms, round, left_open)).await?;
    let draft = compose_answer(terms, &rank_passages(terms, passages));
    if round > 1 && missing(terms, &draft.in_full()).len() * 2 > terms.len() {
        return Err(ResearchError::NothingFound);
    }
    Ok(draft)
}

/// What to search for, wider from round to round.
fn plan(terms: &[String], round: i32, left_open: &[String]) -> Vec<Search> {
    let mut searches = vec![Search::All(terms.to_vec())];
    if round > 1 {
        searches.push(Search::Any(terms.to_vec()));
    }
    if round > 2 {
        // Each alone, so that no term's many passages leave no room for another's few.
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
