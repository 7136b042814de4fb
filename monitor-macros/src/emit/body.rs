//! The user's body, as it stands among emitted statements.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};

use crate::parse::function::Function;

/// Puts the tokens into the user's own braces: what holds them is the user's, to lints, coverage, editors and messages.
pub(crate) fn wrap_in_braces(function: &Function, tokens: TokenStream) -> Group {
    let mut braces = Group::new(Delimiter::Brace, tokens);
    braces.set_span(function.braces.span());
    braces
}

/// The body behind statements of ours.
pub(crate) fn emit_body_after(ours: &TokenStream, function: &Function) -> Group {
    if ours.is_empty() {
        return wrap_in_braces(function, function.body.clone());
    }
    let body = emit_tail_body(function);
    wrap_in_braces(function, quote!(#ours #body))
}

/// The body, to stand behind statements of ours: as it is, where it may be moved, else in a block of its own.
///
/// Where it has statements, that block is the user's as well: it is their edition that says when the temporaries of its last
/// expression are dropped. Around a single expression, the compiler would call the user's braces unnecessary.
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

/// Whether the body may stand behind a statement of ours as it is: it begins with no item, which lints want first, and holds
/// nothing of a macro's variable, of which the compiler forgets that it is.
fn can_follow_statements(body: &TokenStream) -> bool {
    let is_of_variable =
        |token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::None);
    !begins_with_item(body) && !body.clone().into_iter().any(is_of_variable)
}

/// Whether the body begins with what may be an item, or an attribute of one.
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
