//! The span of a call, and the names of a model that the series have no room for.

use tracing::Span;

/// The provider and the model of a call, as the call gave them.
pub(crate) type ModelNames = [Box<str>; 2];

/// The span of a call, if it has one.
///
/// The names are here, and not in the call itself, since most calls have none: one branch, which each call has, leads to
/// both.
#[derive(Debug)]
pub(super) enum CallSpan {
    None,
    Open(Span),
    Named(Box<Named>),
}

/// The span of a model call whose series is that of the overflow.
#[derive(Debug)]
pub(super) struct Named {
    span: Span,
    names: ModelNames,
}

impl CallSpan {
    #[inline]
    pub(super) fn as_ref(&self) -> Option<&Span> {
        match self {
            Self::None => None,
            Self::Open(span) => Some(span),
            Self::Named(named) => Some(&named.span),
        }
    }

    #[inline]
    pub(super) fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Makes it one of a model, which always has a span.
    pub(super) fn of_model(self) -> Self {
        match self {
            Self::None => Self::Open(Span::none()),
            open => open,
        }
    }

    /// Keeps the names of the model.
    #[cold]
    pub(super) fn named(self, names: ModelNames) -> Self {
        let span = match self {
            Self::Open(span) => span,
            Self::None | Self::Named(_) => Span::none(),
        };
        Self::Named(Box::new(Named { span, names }))
    }

    pub(super) fn names(&self) -> Option<&ModelNames> {
        match self {
            Self::Named(named) => Some(&named.names),
            Self::None | Self::Open(_) => None,
        }
    }
}

impl From<Option<Span>> for CallSpan {
    #[inline]
    fn from(span: Option<Span>) -> Self {
        span.map_or(Self::None, Self::Open)
    }
}
