//! Scans the tokens of a body for an early return, an `.await`, and temporaries in the tail expression.
//!
//! A body with an early return cannot stay in place, since the code after it would be skipped. Every answer errs on the side of
//! `true`, which costs a closure or a lint, and never a wrong outcome.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Macros of the standard library that do not return from the function around them.
const MACROS_WITHOUT_RETURN: [&str; 24] = [
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

/// Crates none of whose macros returns, if the path names the crate.
const CRATES_WITHOUT_RETURN: [&str; 5] = ["std", "core", "alloc", "tracing", "log"];

/// Keywords before a `!` that negates an expression in parentheses, and so are no macro's name.
const KEYWORDS_BEFORE_NOT: [&str; 8] = ["if", "while", "match", "in", "else", "move", "break", "as"];

/// Whether the body may return before its end: by `return`, by `?`, or by a macro that may expand to either.
///
/// A `return` from a closure or an `async` block inside counts as well.
pub(crate) fn may_return_early(body: &TokenStream) -> bool {
    let mut path = Vec::new();
    let mut tokens = body.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        // A macro's `!` is followed by a group. That of `a != b` is not; that of `!(a)` is, after no name or a keyword.
        let is_macro = matches!(tokens.peek(), Some(TokenTree::Group(_)));
        match &token {
            TokenTree::Group(group) if may_return_early(&group.stream()) => return true,
            TokenTree::Ident(word) if word == "return" => return true,
            TokenTree::Punct(punct) if punct.as_char() == '?' => return true,
            TokenTree::Punct(punct) if punct.as_char() == '!' && is_macro && macro_may_return(&path) => {
                return true;
            }
            _ => {}
        }
        match token {
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == ':' => path.push(String::new()),
            _ => path.clear(),
        }
    }
    false
}

/// Whether the macro of the path, the words before a `!`, may return. Each `:` of the path is an empty word.
fn macro_may_return(path: &[String]) -> bool {
    let Some((name, before)) = path.split_last() else { return false };
    if KEYWORDS_BEFORE_NOT.contains(&name.as_str()) {
        return false;
    }
    match before {
        [.., krate, first, second] if first.is_empty() && second.is_empty() => {
            !CRATES_WITHOUT_RETURN.contains(&krate.as_str())
        }
        _ => !MACROS_WITHOUT_RETURN.contains(&name.as_str()),
    }
}

/// Whether the body has an `.await`. A macro that may expand to one may also return, so [`may_return_early`] finds it.
pub(crate) fn contains_await(body: &TokenStream) -> bool {
    body.clone().into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "await",
        TokenTree::Group(group) => contains_await(&group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether the tail expression may have temporaries. Before the 2024 edition, they live longer than the body's variables, and so
/// longer than a guard among these.
///
/// One call of a path on plain arguments has none: its value is moved out. Anything around it may borrow from its value.
pub(crate) fn tail_may_hold_temporaries(body: &TokenStream) -> bool {
    let mut last = Vec::new();
    for token in body.clone() {
        match token {
            TokenTree::Punct(end) if end.as_char() == ';' => last.clear(),
            token => last.push(token),
        }
    }
    let is_chain = |token: &TokenTree| match token {
        TokenTree::Ident(_) => true,
        TokenTree::Punct(punct) => matches!(punct.as_char(), '.' | ':'),
        _ => false,
    };
    let is_call = |token: &TokenTree| {
        matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis
            && !contains_group(&group.stream()))
    };
    let is_one_call =
        last.split_last().is_some_and(|(end, before)| is_call(end) && before.iter().all(is_chain));
    !is_one_call && contains_group(&last.into_iter().collect())
}

fn contains_group(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| matches!(token, TokenTree::Group(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returns(body: &str) -> bool {
        may_return_early(&body.parse().unwrap())
    }

    #[test]
    fn early_returns_are_found() {
        for body in
            ["return 1", "read()?", "{ (|| return 1)() }", "bail!(1)", "own::vec![1]", "vec![read()?]"]
        {
            assert!(returns(body), "{body}");
        }
        for body in
            ["!a", "a != b", "if !(a) { b }", "vec![1]", "std::vec![1]", "::tracing::info!(a)", "x::<u8>()"]
        {
            assert!(!returns(body), "{body}");
        }
    }

    #[test]
    fn temporaries_of_the_tail_expression_are_found() {
        let holds = |body: &str| tail_may_hold_temporaries(&body.parse().unwrap());
        for body in [
            "lock().len()",
            "take(lock().len())",
            "match lock() { _ => 1 }",
            "write!(f, a)",
            "Guard {}.len()",
        ] {
            assert!(holds(body), "{body}");
        }
        for body in
            ["", "lock().len();", "lock().len(); 1", "self == other", "Limits::default()", "self.take(a, &b)"]
        {
            assert!(!holds(body), "{body}");
        }
    }
}
