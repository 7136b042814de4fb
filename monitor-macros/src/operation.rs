//! The operation of a query, read from the first SQL literal in its body.

use proc_macro2::{TokenStream, TokenTree};

/// What is recorded when the body shows no SQL.
pub(crate) const OTHER: &str = "other";

/// Reads the operation; `other` without an SQL literal.
pub(crate) fn of_body(body: &TokenStream) -> &'static str {
    literals(body.clone()).find_map(|text| of_sql(&text)).unwrap_or(OTHER)
}

/// Every string literal, in order, macro arguments included.
fn literals(tokens: TokenStream) -> Box<dyn Iterator<Item = String>> {
    Box::new(tokens.into_iter().flat_map(|token| {
        match token {
            TokenTree::Group(group) => literals(group.stream()),
            TokenTree::Literal(literal) => Box::new(
                syn::parse_str::<syn::LitStr>(&literal.to_string())
                    .ok()
                    .map(|literal| literal.value())
                    .into_iter(),
            ),
            TokenTree::Ident(_) | TokenTree::Punct(_) => Box::new(std::iter::empty()),
        }
    }))
}

/// The statement's verb; `None` where the text is no SQL.
fn of_sql(text: &str) -> Option<&'static str> {
    let sql = after_comments(text);
    let word = first_word(sql);
    match verb(word) {
        Some(operation) => Some(operation),
        None if word.eq_ignore_ascii_case("with") => Some(main_verb(sql)),
        None if OTHER_STATEMENTS.iter().any(|other| word.eq_ignore_ascii_case(other)) => Some(OTHER),
        None => None,
    }
}

/// Words that begin a statement which is none of the four operations, when something follows them.
const OTHER_STATEMENTS: [&str; 12] = [
    "create", "alter", "drop", "truncate", "begin", "commit", "rollback", "pragma", "explain", "vacuum",
    "merge", "call",
];

fn verb(word: &str) -> Option<&'static str> {
    match () {
        () if word.eq_ignore_ascii_case("select") => Some("select"),
        () if word.eq_ignore_ascii_case("insert") || word.eq_ignore_ascii_case("replace") => Some("insert"),
        () if word.eq_ignore_ascii_case("update") => Some("update"),
        () if word.eq_ignore_ascii_case("delete") => Some("delete"),
        () => None,
    }
}

/// Of `WITH … AS (…) verb …`, the verb outside all parentheses.
fn main_verb(sql: &str) -> &'static str {
    let mut depth = 0_usize;
    let outside: String = sql
        .chars()
        .map(|character| {
            match character {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && character != ')' { character } else { ' ' }
        })
        .collect();
    outside.split_whitespace().find_map(verb).unwrap_or(OTHER)
}

fn first_word(sql: &str) -> &str {
    let end = sql.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(sql.len());
    &sql[..end]
}

/// Skips white space, opening parentheses and the two kinds of SQL comment.
fn after_comments(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start_matches(|character: char| character.is_whitespace() || character == '(');
        if let Some(comment) = sql.strip_prefix("--") {
            sql = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = sql.strip_prefix("/*") {
            sql = comment.split_once("*/").map_or("", |(_, rest)| rest);
        } else {
            return sql;
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn the_first_sql_literal_decides() {
        let body = quote! {{
            log("finding a user");
            query!("SELECT id FROM users").bind("DELETE FROM users")
        }};
        assert_eq!(of_body(&body), "select");
    }

    #[test]
    fn verbs_are_found_behind_comments_case_and_common_table_expressions() {
        assert_eq!(of_sql("\n  -- the newest\n /* one */ insert into runs"), Some("insert"));
        assert_eq!(of_sql("UpDaTe runs SET a = 1"), Some("update"));
        assert_eq!(of_sql("WITH old AS (SELECT 1) DELETE FROM runs"), Some("delete"));
        assert_eq!(of_sql("(SELECT 1) UNION (SELECT 2)"), Some("select"));
        assert_eq!(of_sql("CREATE TABLE t (a INT)"), Some("other"));
    }

    #[test]
    fn text_that_is_no_sql_is_passed_over() {
        assert_eq!(of_sql("selected rows"), None);
        assert_eq!(of_sql("hello"), None);
        assert_eq!(of_body(&quote!({ count(1) })), "other");
    }
}
