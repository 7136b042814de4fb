//! The query language of Prometheus, as far as a test has to change it.

/// The expression with every comparison giving 0 or 1 in place of leaving series out. What is left then says whether everything
/// that is compared is there and fits together, whatever its values are.
pub(crate) fn with_comparisons_as_values(expression: &str) -> String {
    let mut changed = String::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' | '\'' => 2 + rest[1..].find(first).expect("quotes come in pairs"),
            '{' => 1 + rest.find('}').expect("braces come in pairs"),
            '=' | '!' | '<' | '>' => 1 + usize::from(rest[1..].starts_with('=')),
            other => other.len_utf8(),
        };
        changed.push_str(&rest[..taken]);
        if matches!(first, '=' | '!' | '<' | '>') {
            changed.push_str(" bool");
        }
        rest = &rest[taken..];
    }
    changed
}

/// The names in the expression that are not words of the language: metrics, labels and functions.
pub(crate) fn names(expression: &str) -> impl Iterator<Item = &str> {
    let is_of_a_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | ':');
    let words = expression.split(move |char| !is_of_a_name(char));
    words.filter(|word| word.starts_with(|first: char| first.is_ascii_alphabetic()))
}

#[test]
fn comparisons_become_values_and_matchers_stay() {
    let alert = "a{b!=\"c > d\"} / e > 0.05\n  and on (f) g == 1 or h >= 2";
    let values = "a{b!=\"c > d\"} / e > bool 0.05\n  and on (f) g == bool 1 or h >= bool 2";
    assert_eq!(with_comparisons_as_values(alert), values);
}
