//! Who answers a question: a researcher who drafts, and a reviewer who accepts the draft or sends it back.

mod researcher;
mod reviewer;

pub(crate) use researcher::ResearchError;

use crate::question::Question;
use crate::skills::Answer;
use crate::store::Store;
use researcher::research;
use reviewer::{Review, review};

/// The most drafts that are made of one answer.
const MOST_ROUNDS: i32 = 3;

/// Lets the researcher draft until the reviewer accepts. A draft that is sent back in the last round is the answer all the
/// same, and says what it leaves open.
///
/// `round` is the round that the run is in, for whoever looks on.
pub(crate) async fn answer(
    store: &Store,
    question: &Question,
    round: &mut i32,
) -> Result<Answer, ResearchError> {
    let mut missing = Vec::new();
    loop {
        *round += 1;
        let mut draft = research(store, question, *round, &missing).await?;
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
