//! The skill of telling which passages matter most.

use std::cmp::Reverse;

use monitor_runtime::track_skill;

use super::covered;
use crate::markdown::Passage;

/// Sorts passages: first those that speak of the most terms, of these first those whose headings do, of these in the order in
/// which they were found.
#[track_skill("rank_passages", fields(passages = passages.len()))]
pub(crate) fn rank_passages(terms: &[String], mut passages: Vec<Passage>) -> Vec<Passage> {
    passages.sort_by_cached_key(|Passage { heading, body, .. }| {
        let in_heading = covered(terms, heading).len();
        let in_all = covered(terms, &format!("{heading} {body}")).len();
        Reverse((in_all, in_heading))
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
