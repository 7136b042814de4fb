//! Emits the user's body among emitted statements, so that lints and the compiler treat it as they do without the attribute.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};

use crate::parse::function::Function;

/// Wraps the tokens in the user's braces: to lints, coverage, editors and error messages, it is the user's block.
pub(crate) fn wrap_in_braces(function: &Function, tokens: TokenStream) -> Group {
    let mut braces = Group::new(Delimiter::Brace, tokens);
    braces.set_span(function.braces.span());
    braces
}

/// Emits the body after emitted statements.
pub(crate) fn emit_body_after(ours: &TokenStream, function: &Function) -> Group {
    if ours.is_empty() {
        return wrap_in_braces(function, function.body.clone());
    }
    let body = emit_tail_body(function);
    wrap_in_braces(function, quote!(#ours #body))
}

/// Emits the body as the tail of a block that begins with emitted statements: as it is where it can follow them, else in a block
/// of its own.
///
/// That block has the user's braces if there are statements in it, since the edition of the braces decides when the temporaries of
/// the tail expression are dropped. Around a single expression, the compiler would call the user's braces unnecessary.
pub(crate) fn emit_tail_body(function: &Function) -> TokenStream {
    let body = function.body.clone();
    if can_follow_statements(&body) {
        return body;
    }
    if has_statements(&body) || begins_with_item(&body) {
        return wrap_in_braces(function, body).to_token_stream();
    }
    let mut block = Group::new(Delimiter::Brace, body);
    block.set_span(Span::mixed_site().located_at(function.braces.span()));
    block.to_token_stream()
}

/// Whether the body can follow emitted statements as it is.
///
/// An item cannot, since lints want items first in a block. A variable of `macro_rules!` cannot, since a stream that is collected
/// anew loses the mark of its invisible group.
fn can_follow_statements(body: &TokenStream) -> bool {
    let is_of_variable =
        |token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::None);
    !begins_with_item(body) && !body.clone().into_iter().any(is_of_variable)
}

/// Whether the body begins with a keyword of an item, or with an attribute.
fn begins_with_item(body: &TokenStream) -> bool {
    const ITEMS: [&str; 16] = [
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "macro_rules",
        "mod",
        "pub",
        "static",
        "struct",
        "trait",
        "type",
        "union",
        "unsafe",
        "use",
    ];
    match body.clone().into_iter().next() {
        Some(TokenTree::Ident(word)) => ITEMS.iter().any(|item| word == item),
        Some(TokenTree::Punct(hash)) => hash.as_char() == '#',
        _ => false,
    }
}

fn has_statements(body: &TokenStream) -> bool {
    body.clone().into_iter().any(|token| matches!(token, TokenTree::Punct(end) if end.as_char() == ';'))
}
