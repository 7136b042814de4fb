//! Whether a body may be left before its end, in which case it cannot stand in the middle of the function.

use proc_macro2::{TokenStream, TokenTree};

/// Macros of the standard library that never return from the function around them.
const STAYING: [&str; 24] = [
    "panic",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "unreachable",
    "todo",
    "unimplemented",
    "format",
    "format_args",
    "vec",
    "print",
    "println",
    "eprint",
    "eprintln",
    "write",
    "writeln",
    "matches",
    "dbg",
    "concat",
    "line",
    "file",
];

/// Words before a `!` that negates what stands in parentheses.
const KEYWORDS: [&str; 8] = ["if", "while", "match", "in", "else", "move", "break", "as"];

/// Whether the body may end elsewhere than at its end: by `return`, by `?`, or by a macro that may hold either.
///
/// What returns from a closure inside is not told apart.
pub(crate) fn leaves_early(body: &TokenStream) -> bool {
    let mut macro_name = None;
    let mut tokens = body.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        // Behind a macro's name and `!` comes what it is given; behind that of `a != b` and `if !a` does not.
        let is_macro = matches!(tokens.peek(), Some(TokenTree::Group(_)));
        match &token {
            TokenTree::Group(group) if leaves_early(&group.stream()) => return true,
            TokenTree::Ident(word) if word == "return" => return true,
            TokenTree::Punct(punct) if punct.as_char() == '?' => return true,
            TokenTree::Punct(punct)
                if punct.as_char() == '!' && is_macro && may_leave(macro_name.as_deref()) =>
            {
                return true;
            }
            _ => {}
        }
        macro_name = match token {
            TokenTree::Ident(word) => Some(word.to_string()),
            _ => None,
        };
    }
    false
}

/// Whether the word before a `!` names a macro that is not known to stay.
fn may_leave(macro_name: Option<&str>) -> bool {
    macro_name.is_some_and(|name| !STAYING.contains(&name) && !KEYWORDS.contains(&name))
}
