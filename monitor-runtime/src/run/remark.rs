//! Remarks: texts and findings about a call, beside its records. They go to the recorder through a queue that is bounded
//! by bytes.

use super::reply::Reply;

/// A remark about a call.
#[derive(Clone, Debug)]
pub(super) enum Remark {
    /// The call returned this error.
    Error(Box<str>),
    /// The model call reported this.
    Reply(Box<Reply>),
}

impl Remark {
    /// The bytes that it takes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Error(text) => text.len(),
            Self::Reply(reply) => reply.bytes(),
        }
    }
}
