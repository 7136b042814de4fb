//! The agent that reads drafts.

use monitor_runtime::track_agent;

use crate::question::Question;
use crate::skills::{Answer, missing};

/// The reviewer's verdict on a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Review {
    /// It covers all terms of the question.
    Accepted,
    /// It does not cover these terms.
    SentBack { missing: Vec<String> },
}

/// Accepts a draft that covers all terms of the question, and sends any other back.
#[track_agent("reviewer")]
pub(super) fn review(question: &Question, draft: &Answer) -> Review {
    let missing = missing(question.terms(), &draft.in_full());
    if missing.is_empty() {
        tracing::debug!("draft accepted");
        return Review::Accepted;
    }
    tracing::info!(missing = missing.join(", "), "draft sent back");
    Review::SentBack { missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review_of(text: &str) -> Review {
        let question = Question::new("How hot is green tea?").expect("a question");
        review(&question, &Answer { text: text.to_owned(), sources: vec![] })
    }

    #[test]
    fn a_draft_that_speaks_of_everything_is_accepted() {
        assert_eq!(review_of("Green teas are best not too hot."), Review::Accepted);
    }

    #[test]
    fn an_incomplete_draft_is_sent_back_with_its_missing_words() {
        let missing = vec!["hot".to_owned(), "green".to_owned()];
        assert_eq!(review_of("Tea."), Review::SentBack { missing });
    }
}
