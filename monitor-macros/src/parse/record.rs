//! The option `record(…)`: the arguments, and the result, whose texts are kept with the run. It is checked as it is parsed,
//! but for the names, which need the function.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, Token};

use crate::diagnostics::Diagnostics;

const USAGE: &str = "`record(query, result)`";

/// The name that stands for the returned value.
pub(crate) const RESULT: &str = "result";

/// The bytes of a text that are kept, unless set, and the bounds of the setting.
const DEFAULT_BYTES: usize = 1_024;
const LEAST_BYTES: usize = 16;
const MOST_BYTES: usize = 16_384;

/// An argument, or the result, whose text is kept.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) name: Ident,
    /// By its `Display`, else by its `Debug`.
    pub(crate) is_displayed: bool,
    /// The most bytes that are kept.
    pub(crate) most: usize,
}

impl Recorded {
    /// Whether it is the returned value.
    pub(crate) fn is_result(&self) -> bool {
        self.name == RESULT
    }
}

/// One entry of the list as written.
struct Entry {
    name: Ident,
    is_displayed: bool,
    most: Option<Expr>,
}

impl Parse for Entry {
    /// Parses `name`, `%name` or `?name`, each alone or with ` = bytes`.
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let is_displayed = input.parse::<Option<Token![%]>>()?.is_some();
        if !is_displayed {
            input.parse::<Option<Token![?]>>()?;
        }
        let name = input.call(Ident::parse_any)?;
        let most = if input.parse::<Option<Token![=]>>()?.is_some() { Some(input.parse()?) } else { None };
        Ok(Self { name, is_displayed, most })
    }
}

/// Parses the list after the option's name.
pub(super) fn parse(
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<Vec<Recorded>> {
    if !input.peek(syn::token::Paren) {
        let rule = format!("`record` needs the names of what it keeps; write {USAGE}");
        return Err(syn::Error::new(name.span(), rule));
    }
    let content;
    syn::parenthesized!(content in input);
    let entries = content.call(Punctuated::<Entry, Token![,]>::parse_terminated);
    let Ok(entries) = entries.as_ref() else {
        // Tokens that stay unread would be a second error at the same place.
        content.parse::<TokenStream>()?;
        let place = entries.map_or_else(|error| error.span(), |_| name.span());
        let rule =
            "expected the name of a parameter, or `result`, alone or with its bytes, as in `query = 200`";
        return Err(syn::Error::new(place, rule));
    };
    if entries.is_empty() {
        errors
            .error(name, format_args!("`record` keeps nothing; name a parameter or `result`, as in {USAGE}"));
    }
    let mut recorded: Vec<Recorded> = Vec::new();
    for Entry { name, is_displayed, most } in entries {
        if recorded.iter().any(|earlier| earlier.name == *name) {
            errors.error(name, format_args!("duplicate `{name}`; remove one of the two"));
            continue;
        }
        let most = match most.as_ref().map(|most| parse_bytes(name, most)) {
            None => DEFAULT_BYTES,
            Some(Ok(most)) => most,
            Some(Err(error)) => {
                errors.push(error);
                DEFAULT_BYTES
            }
        };
        recorded.push(Recorded { name: name.clone(), is_displayed: *is_displayed, most });
    }
    Ok(recorded)
}

/// The bytes of a text that are kept.
fn parse_bytes(name: &Ident, given: &Expr) -> syn::Result<usize> {
    let bounds = format!("from {LEAST_BYTES} to {MOST_BYTES}, as in `{name} = 200`");
    let Expr::Lit(ExprLit { lit: Lit::Int(bytes), .. }) = given else {
        let rule = format!(
            "`{name}` is cut to a number of bytes and not to `{}`; write a whole number {bounds}",
            given.to_token_stream()
        );
        return Err(syn::Error::new_spanned(given, rule));
    };
    let parsed = bytes.base10_parse::<usize>().ok().filter(|_| bytes.suffix().is_empty());
    parsed.filter(|bytes| (LEAST_BYTES..=MOST_BYTES).contains(bytes)).ok_or_else(|| {
        let rule = format!("`{name}` cannot be cut to `{bytes}` bytes; write a whole number {bounds}");
        syn::Error::new_spanned(given, rule)
    })
}
