//! The skill that ranks passages.

use monitor_runtime::track_skill;

use super::missing;
use crate::markdown::Passage;

/// Sorts passages by the number of terms that they contain, then by those in their headings, then by those in their text. Equal
/// passages keep the order of the search.
#[track_skill("rank_passages", fields(passages = passages.len()))]
pub(crate) fn rank_passages(terms: &[String], mut passages: Vec<Passage>) -> Vec<Passage> {
    passages.sort_by_cached_key(|passage| {
        let texts = [&passage.in_full(), &passage.heading, &passage.body];
        texts.map(|text| missing(terms, text).len())
    });
    passages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(heading: &str, body: &str) -> Passage {
        Passage { file: "notes.md".to_owned(), heading: heading.to_owned(), body: body.to_owned() }
    }

    #[test]
    fn more_terms_come_first_then_those_in_the_heading() {
        let terms = ["green".to_owned(), "tea".to_owned()];
        let passages =
            ["Coffee", "Water", "Tea", "Green tea"].map(|heading| passage(heading, "Unlike teas."));
        let ranked = rank_passages(&terms, passages.to_vec());
        let headings: Vec<_> = ranked.iter().map(|passage| passage.heading.as_str()).collect();
        assert_eq!(headings, ["Green tea", "Tea", "Coffee", "Water"]);
    }
}
