//! The operation of a query, inferred from the first SQL literal in its body.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The operation of statements without one of their own, and of bodies without SQL.
pub(crate) const OTHER: &str = "other";

/// Infers the operation, `other` if no literal is SQL.
pub(crate) fn infer_operation(body: &TokenStream) -> &'static str {
    collect_string_literals(body.clone()).iter().find_map(|text| classify_sql(text)).unwrap_or(OTHER)
}

/// Collects the string literals in order: macro arguments included, attributes (also doc comments) left out.
fn collect_string_literals(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_after_hash = false;
    for token in tokens {
        match &token {
            TokenTree::Group(group) if is_after_hash && group.delimiter() == Delimiter::Bracket => {}
            TokenTree::Group(group) => found.extend(collect_string_literals(group.stream())),
            TokenTree::Literal(literal) => {
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                found.extend(text.ok().map(|text| text.value()));
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
        is_after_hash = matches!(&token, TokenTree::Punct(punct) if ['#', '!'].contains(&punct.as_char()));
    }
    found
}

/// The operation of the statement. `None` if the text is not SQL.
fn classify_sql(text: &str) -> Option<&'static str> {
    let sql = skip_comments(text);
    let word = first_word(sql);
    let statement = STATEMENTS.iter().find(|statement| word.eq_ignore_ascii_case(statement.verb))?;
    // A sentence may begin with such a word, too. In SQL it is in capitals, or a keyword follows somewhere.
    let is_sql = word.chars().all(|character| character.is_ascii_uppercase())
        || sql.split_whitespace().skip(1).any(|word| statement.is_followed_by(word));
    is_sql.then(|| if statement.verb == "with" { find_main_operation(sql) } else { statement.operation })
}

/// A kind of statement.
struct Statement {
    verb: &'static str,
    operation: &'static str,
    /// Keywords, one of which follows the verb. Only they prove a verb in lower case to be SQL.
    followed_by: &'static [&'static str],
}

impl Statement {
    const fn new(verb: &'static str, operation: &'static str, followed_by: &'static [&'static str]) -> Self {
        Self { verb, operation, followed_by }
    }

    fn is_followed_by(&self, word: &str) -> bool {
        self.followed_by.iter().any(|follower| word.eq_ignore_ascii_case(follower))
            || self.operation == "select" && word.starts_with(|character: char| character.is_ascii_digit())
    }
}

const SCHEMA_OBJECTS: &[&str] =
    &["table", "index", "view", "schema", "database", "trigger", "function", "extension", "type"];

const STATEMENTS: [Statement; 16] = [
    Statement::new("select", "select", &["from"]),
    Statement::new("insert", "insert", &["into"]),
    Statement::new("replace", "insert", &["into"]),
    Statement::new("update", "update", &["set"]),
    Statement::new("delete", "delete", &["from"]),
    Statement::new("with", OTHER, &["as"]),
    Statement::new("create", OTHER, SCHEMA_OBJECTS),
    Statement::new("alter", OTHER, SCHEMA_OBJECTS),
    Statement::new("drop", OTHER, SCHEMA_OBJECTS),
    Statement::new("truncate", OTHER, SCHEMA_OBJECTS),
    Statement::new("begin", OTHER, &["transaction", "immediate"]),
    Statement::new("commit", OTHER, &[]),
    Statement::new("rollback", OTHER, &[]),
    Statement::new("pragma", OTHER, &[]),
    Statement::new("vacuum", OTHER, &[]),
    Statement::new("merge", OTHER, &["into"]),
];

/// Finds the operation of `WITH … AS (…) verb …`: that of the first verb outside all parentheses.
fn find_main_operation(sql: &str) -> &'static str {
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
    let verbs = STATEMENTS.iter().filter(|statement| statement.operation != OTHER);
    outside
        .split_whitespace()
        .find_map(|word| verbs.clone().find(|statement| word.eq_ignore_ascii_case(statement.verb)))
        .map_or(OTHER, |statement| statement.operation)
}

fn first_word(sql: &str) -> &str {
    let end = sql.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(sql.len());
    &sql[..end]
}

/// Skips white space, opening parentheses and SQL's two kinds of comments.
fn skip_comments(mut sql: &str) -> &str {
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
        assert_eq!(infer_operation(&body), "select");
    }

    #[test]
    fn verbs_are_found_in_any_case_and_after_comments_and_ctes() {
        assert_eq!(classify_sql("\n  -- the newest\n /* one */ insert into runs"), Some("insert"));
        assert_eq!(classify_sql("UpDaTe runs SET a = 1"), Some("update"));
        assert_eq!(classify_sql("WITH old AS (SELECT 1) DELETE FROM runs"), Some("delete"));
        assert_eq!(classify_sql("(SELECT 1) UNION (SELECT 2)"), Some("select"));
        assert_eq!(classify_sql("CREATE TABLE t (a INT)"), Some("other"));
    }

    #[test]
    fn text_that_is_not_sql_is_skipped() {
        assert_eq!(classify_sql("selected rows"), None);
        assert_eq!(classify_sql("hello"), None);
        assert_eq!(classify_sql("Begin lookup"), None);
        assert_eq!(classify_sql("Update the cart"), None);
        assert_eq!(
            infer_operation(&quote!({
                #[doc = "UPDATE it"]
                const Q: &str = "select 1";
                Q
            })),
            "select"
        );
        assert_eq!(infer_operation(&quote!({ count(1) })), "other");
    }
}
