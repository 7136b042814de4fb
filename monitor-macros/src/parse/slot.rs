//! An option that can be set once.

use proc_macro2::TokenStream;
use quote::ToTokens;

use crate::diagnostics::Diagnostics;

/// A value together with the token that set it, at which errors about the value are reported.
#[derive(Clone, Debug)]
pub(crate) struct Slot<T> {
    filled: Option<(TokenStream, T)>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { filled: None }
    }
}

impl<T> Slot<T> {
    /// Sets the value. A second value is an error at its token; the first one stays.
    pub(crate) fn set(&mut self, name: &str, token: impl ToTokens, value: T, errors: &Diagnostics) {
        if self.filled.is_some() {
            errors.error(token, format_args!("duplicate `{name}`; remove one of the two"));
        } else {
            self.filled = Some((token.into_token_stream(), value));
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.filled.as_ref().map(|(_, value)| value)
    }

    /// Takes the value, which leaves the slot unset.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.filled.take().map(|(_, value)| value)
    }

    /// The token that set it.
    pub(crate) fn token(&self) -> Option<&TokenStream> {
        self.filled.as_ref().map(|(token, _)| token)
    }
}

impl<T: Clone> Slot<T> {
    /// Copies `default` unless a value is set.
    pub(crate) fn inherit(&mut self, default: &Self) {
        if self.filled.is_none() {
            self.filled.clone_from(&default.filled);
        }
    }
}
