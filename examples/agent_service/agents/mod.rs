//! The agents that answer a question: a researcher drafts, and a reviewer accepts the draft or sends it back.

mod researcher;
mod reviewer;

pub(crate) use researcher::ResearchError;

use crate::model::Model;
use crate::question::Question;
use crate::skills::Answer;
use crate::store::Store;
use researcher::research;
use reviewer::{Review, review};

/// Maximum number of drafts of one answer.
const MOST_ROUNDS: i32 = 3;

/// Lets the researcher draft until the reviewer accepts. A draft that is sent back in the last round is still the answer, and
/// names the terms that it leaves open.
///
/// `round` reports the run's current round to the caller.
pub(crate) async fn answer(
    store: &Store,
    model: &Model,
    question: &Question,
    round: &mut i32,
) -> Result<Answer, ResearchError> {
    let mut missing = Vec::new();
    loop {
        *round += 1;
        let mut draft = research(store, model, question, *round, &missing).await?;
        missing = match review(question, &draft) {
            Review::Accepted => return Ok(draft),
            Review::SentBack { missing } => missing,
        };
        if *round == MOST_ROUNDS {
            draft.add_paragraph(&format!("The notes say nothing about: {}.", missing.join(", ")));
            return Ok(draft);
        }
    }
}
