//! Those parts of a run that only few runs have: meters of budgets, compared arguments, tags.

use std::num::NonZeroU32;

use super::budget::{Finding, Meters};
use super::repeats::{Repeat, Repeats};
use super::text::ALLOCATION_BYTES;
use crate::call::observer::CallBegun;

/// The maximum number of tags of a run.
pub(crate) const MOST_TAGS: usize = 16;

/// The details of a run that goes on. They are kept in the run's slot, since the calls themselves ask for them.
#[derive(Debug)]
pub(crate) struct Details {
    pub(super) run: NonZeroU32,
    pub(super) meters: Meters,
    pub(super) repeats: Repeats,
    tags: Vec<Tag>,
}

#[derive(Debug)]
struct Tag {
    /// The name of the field of log lines.
    field: Box<str>,
    value: Box<str>,
}

impl Details {
    pub(super) fn new(run: NonZeroU32) -> Self {
        Self { run, meters: Meters::default(), repeats: Repeats::default(), tags: Vec::new() }
    }

    /// Counts a call that has begun. `parent` is `None` for the outermost one.
    pub(super) fn begin(
        &mut self,
        number: u32,
        parent: Option<u32>,
        call: &CallBegun<'_>,
    ) -> (Vec<Finding>, Option<Repeat>) {
        let CallBegun { kind, series, started, budget, arguments, .. } = *call;
        let mut found = Vec::new();
        match (budget, parent) {
            (Some(budget), _) => self.meters.open((number, parent), series.id(), budget, started),
            (None, Some(parent)) if !self.meters.is_empty() => {
                found = self.meters.begin(number, parent, kind, started);
            }
            _ => {}
        }
        let repeat = arguments.and_then(|hash| self.repeats.begin(number, series.number(), hash));
        (found, repeat)
    }

    /// The bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.tags.iter().map(|tag| tag.field.len() + tag.value.len() + 2 * ALLOCATION_BYTES);
        size_of::<Self>()
            + 2 * ALLOCATION_BYTES
            + self.meters.heap_bytes()
            + self.repeats.heap_bytes()
            + self.tags.capacity() * size_of::<Tag>()
            + texts.sum::<usize>()
    }

    /// Sets a tag. Returns `false` if the run has no room for another one.
    pub(super) fn tag(&mut self, key: &str, value: &str) -> bool {
        let is_same = |tag: &&mut Tag| tag.field.strip_prefix("run.") == Some(key);
        if let Some(tag) = self.tags.iter_mut().find(is_same) {
            tag.value = value.into();
        } else if self.tags.len() < MOST_TAGS {
            self.tags.push(Tag { field: format!("run.{key}").into(), value: value.into() });
        } else {
            return false;
        }
        true
    }

    /// Calls `show` with the field and the value of each tag.
    #[cfg(feature = "logging")]
    pub(super) fn each_tag(&self, mut show: impl FnMut(&str, &str)) {
        self.tags.iter().for_each(|tag| show(&tag.field, &tag.value));
    }
}
