//! The errors of a table of prices.

use crate::json::value::Mistake;

/// Why a table of prices was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PricesError {
    /// The text is not JSON.
    #[error("the prices are not JSON at byte {at}: expected {expected}")]
    Json {
        /// The place in the text.
        at: usize,
        /// The form that was expected there.
        expected: &'static str,
    },
    /// The table, or an entry of a list, is no object.
    #[error("{place} has to be an object")]
    NoObject {
        /// The value: `the table` or `prices[3]`.
        place: String,
    },
    /// An object has a field that is not known.
    #[error("{place}: unknown field `{field}`; expected one of {}", listed(known))]
    UnknownField {
        /// The object that has the field: `the table` or `prices[3]`.
        place: String,
        /// The name of the field.
        field: String,
        /// The names of the fields that the object may have.
        known: &'static [&'static str],
    },
    /// An object has a field twice.
    #[error("{place}: duplicate field `{field}`")]
    DuplicateField {
        /// The object that has the field: `the table` or `prices[3]`.
        place: String,
        /// The name of the field.
        field: String,
    },
    /// A field is missing, or has a value of another type.
    #[error("{place}: `{field}` has to be {expected}")]
    Field {
        /// The object that has the field: `the table` or `prices[3]`.
        place: String,
        /// The name of the field.
        field: String,
        /// The value that was expected.
        expected: &'static str,
    },
    /// The day of the prices does not exist.
    #[error("`{given}` is not a day; expected the day that the prices are of, as in `2026-11-01`")]
    Date {
        /// The day, as given.
        given: String,
    },
    /// A price is negative, not a number, or above a million dollars.
    #[error("the {part} price of `{model}` is {given} dollars; expected 0 to 1000000 for a million tokens")]
    Rate {
        /// The model, as given.
        model: String,
        /// The tokens that the price is for.
        part: &'static str,
        /// The price, as given.
        given: f64,
    },
    /// A `*` is not at the end of a model's name, is only a part of a provider's, or a name is empty.
    #[error("`{given}` names no {of}; expected a name, or {}", pattern_of(of))]
    Pattern {
        /// `provider` or `model`.
        of: &'static str,
        /// The name, as given.
        given: String,
    },
    /// Two prices apply to the same names.
    #[error("`{model}` of `{provider}` has two prices; keep one of them")]
    Duplicate {
        /// The provider, as given.
        provider: String,
        /// The model, as given.
        model: String,
    },
    /// The prices above a number of tokens are not in ascending order, or follow no price.
    #[error(
        "the price above {tokens} tokens is out of order; expected it behind a model's price, with the lowest first"
    )]
    Tier {
        /// The number of tokens.
        tokens: u64,
    },
}

fn listed(fields: &[&str]) -> String {
    let quoted: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
    quoted.join(", ")
}

fn pattern_of(name: &str) -> &'static str {
    if name == "provider" { "`*` for every provider" } else { "its beginning with `*` behind it" }
}

impl From<Mistake> for PricesError {
    fn from(Mistake { at, expected }: Mistake) -> Self {
        Self::Json { at, expected }
    }
}
