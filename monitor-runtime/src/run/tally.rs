//! What a look at the runs finds for the metrics.
//!
//! A new label set may find its family full, which is logged, and a subscriber may read the runs in turn. So nothing is
//! counted before the state of the recorder is unlocked.

use super::live::Freed;
use crate::families::{models, runs};

/// A finding.
#[derive(Debug)]
pub(super) enum Tally {
    /// A run has ended.
    Ended(Freed),
    /// A further attempt of a skill.
    SkillRetry(&'static str),
    /// A further attempt of a provider's model.
    ModelRetry([&'static str; 2]),
}

impl Tally {
    fn count(&self) {
        match self {
            Self::Ended(freed) => freed.count(),
            Self::SkillRetry(skill) => runs::count_retry(skill),
            Self::ModelRetry(labels) => models::count_retry(*labels),
        }
    }
}

/// The findings of a look, which are counted when it is dropped.
#[derive(Debug)]
pub(super) struct Tallies(pub(super) Vec<Tally>);

impl Drop for Tallies {
    fn drop(&mut self) {
        self.0.iter().for_each(Tally::count);
    }
}
