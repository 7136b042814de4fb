//! A field in the option `fields(…)`.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Token};

/// One field.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) name_tokens: TokenStream,
    pub(crate) record_as: RecordAs,
    pub(crate) value: Expr,
    /// Whether the value is the name itself: `goal`, `%goal`, `user.name`.
    is_shorthand: bool,
}

impl Field {
    /// The variable that a shorthand field reads: `user` for `user.name`. `None` for `name = expr`.
    pub(crate) fn shorthand_variable(&self) -> Option<&str> {
        self.is_shorthand.then(|| self.name.split('.').next()).flatten()
    }
}

/// How a field's value is recorded, by `tracing`'s sigils: none, `%` or `?`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RecordAs {
    Value,
    Display,
    Debug,
}

impl Parse for Field {
    /// Parses `name = expr`, `name = %expr`, `name = ?expr`, or the shorthand `name`, `%name`, `?name`.
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let shorthand = RecordAs::parse(input)?;
        let path = Punctuated::<Ident, Token![.]>::parse_separated_nonempty_with(input, Ident::parse_any)?;
        let name = path.iter().map(|part| part.unraw().to_string()).collect::<Vec<_>>().join(".");
        let name_tokens = path.to_token_stream();
        if !input.peek(Token![=]) {
            let value = syn::parse2(name_tokens.clone())?;
            return Ok(Self {
                name,
                name_tokens,
                record_as: shorthand.unwrap_or(RecordAs::Value),
                value,
                is_shorthand: true,
            });
        }
        input.parse::<Token![=]>()?;
        let record_as = RecordAs::parse(input)?.or(shorthand).unwrap_or(RecordAs::Value);
        Ok(Self { name, name_tokens, record_as, value: input.parse()?, is_shorthand: false })
    }
}

impl RecordAs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Option<Self>> {
        if input.parse::<Option<Token![%]>>()?.is_some() {
            return Ok(Some(Self::Display));
        }
        Ok(input.parse::<Option<Token![?]>>()?.map(|_| Self::Debug))
    }
}
