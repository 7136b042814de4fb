//! Remarks: texts and findings about a call, beside its records. They go to the recorder through a queue that is bounded
//! by bytes.

use super::budget::BudgetLimit;
use super::reply::Reply;
use crate::call::Content;

/// A remark about a call.
#[derive(Clone, Debug)]
pub(super) enum Remark {
    /// The call returned this error.
    Error(Box<str>),
    /// The model call reported this.
    Reply(Box<Reply>),
    /// The run has this tag from now on.
    Tag { key: &'static str, value: Box<str> },
    /// There was no room for a text.
    LostText,
    /// A text of the user's, at this time in ticks of the clock.
    Note { ticks: u64, text: Box<str> },
    /// The call makes a further attempt, for this reason.
    Retry(Box<str>),
    /// The call has this argument or result.
    Content(Content),
    /// So many calls of the run had the same arguments, this one included.
    Repeat(u32),
    /// The call has passed this limit of its budget.
    Passed(BudgetLimit),
    /// It is not known whether the call has passed this limit.
    Unverifiable(BudgetLimit),
}

impl Remark {
    /// The bytes that it takes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Reply(reply) => reply.bytes(),
            Self::Content(content) => content.text.len(),
            Self::Error(text)
            | Self::Retry(text)
            | Self::Note { text, .. }
            | Self::Tag { value: text, .. } => text.len(),
            Self::LostText | Self::Repeat(_) | Self::Passed(_) | Self::Unverifiable(_) => 0,
        }
    }
}
