//! The skill that composes an answer from passages.

use monitor_runtime::track_skill;
use serde::Serialize;

use super::missing;
use crate::markdown::Passage;
use crate::model::{Model, ModelError};
use crate::question::Question;

/// Maximum number of passages that an answer quotes.
const MOST_QUOTES: usize = 4;

/// An answer, in the notes' own words or in those of a language model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// The places of the passages it is from, in their order, each once.
    pub(crate) sources: Vec<Source>,
}

/// A place in the notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) heading: String,
}

/// Has the model write an answer from as few passages as cover the question's terms. Without any there is no answer.
#[track_skill("compose_answer", fields(passages = passages.len()))]
pub(crate) async fn compose_answer(
    model: &Model,
    question: &Question,
    passages: &[Passage],
) -> Result<Answer, ModelError> {
    let (chosen, left) = choose(question.terms(), passages);
    let mut answer = Answer::default();
    if !chosen.is_empty() {
        answer.text = model.write(question, &chosen).await?;
    }
    for passage in chosen {
        answer.name_source(passage);
    }
    tracing::debug!(sources = answer.sources.len(), left, "answer composed");
    Ok(answer)
}

/// Chooses the passage that covers the most terms. While another passage covers some of the remaining terms, it then chooses the
/// one that covers the most of them. On a tie it takes the first, so rank the passages before. Also returns the number of terms
/// that no passage covers.
fn choose<'p>(terms: &[String], passages: &'p [Passage]) -> (Vec<&'p Passage>, usize) {
    let (mut chosen, mut left) = (Vec::new(), terms.to_vec());
    for _ in 0..MOST_QUOTES {
        let left_by = |passage: &Passage| missing(&left, &passage.in_full());
        let Some(best) = passages.iter().min_by_key(|passage| left_by(passage).len()) else { break };
        let still_left = left_by(best);
        if still_left.len() == left.len() {
            break;
        }
        left = still_left;
        chosen.push(best);
    }
    (chosen, left.len())
}

impl Answer {
    fn name_source(&mut self, Passage { file, heading, .. }: &Passage) {
        let source = Source { file: file.clone(), heading: heading.clone() };
        if !self.sources.contains(&source) {
            self.sources.push(source);
        }
    }

    /// Appends a sentence to the answer.
    pub(crate) fn add_paragraph(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
    }

    /// The text to compare with terms: the answer and the headings above its passages.
    pub(crate) fn in_full(&self) -> String {
        let headings = self.sources.iter().map(|source| source.heading.as_str());
        headings.chain([self.text.as_str()]).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn passage(file: &str, heading: &str, body: &str) -> Passage {
        Passage { file: file.to_owned(), heading: heading.to_owned(), body: body.to_owned() }
    }

    fn composed(question: &str, passages: &[Passage]) -> Answer {
        let question = Question::new(question).expect("a question");
        let composing = compose_answer(&Model::Quotes, &question, passages);
        composing.now_or_never().expect("quotes are there at once").expect("quotes never fail")
    }

    #[test]
    fn it_quotes_as_few_passages_as_speak_of_all_terms() {
        let passages = [
            passage("tea.md", "Tea", "Boil the water."),
            passage("cups.md", "Cups", "Warm the cups."),
            passage("milk.md", "Milk", "Boil the milk."),
        ];
        let answer = composed("tea water cup", &passages);
        assert_eq!(answer.text, "Boil the water.\n\nWarm the cups.");
        let files: Vec<_> = answer.sources.iter().map(|source| source.file.as_str()).collect();
        assert_eq!(files, ["tea.md", "cups.md"]);
    }

    #[test]
    fn a_source_quoted_twice_is_named_once() {
        let passages = ["Boil the water.", "Warm the cups."].map(|body| passage("tea.md", "Notes", body));
        let answer = composed("water cups", &passages);
        assert_eq!(answer.text, "Boil the water.\n\nWarm the cups.");
        assert_eq!(answer.sources.len(), 1);
    }

    #[test]
    fn passages_that_speak_of_no_term_give_no_answer() {
        let passages = [passage("tea.md", "Tea", "Leaves.")];
        assert_eq!(composed("coffee", &passages), Answer::default());
    }
}
