//! A question, and the terms to search for.

use crate::text::{is_stop_word, stem, words};

/// Maximum length of a question, in characters.
pub(crate) const LONGEST: usize = 500;

/// Maximum number of terms to search for; further terms of a longer question are ignored.
const MOST_TERMS: usize = 32;

/// A question with at least one term to search for.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    text: String,
    terms: Vec<String>,
}

/// The reason why a text is not a valid question.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidQuestion {
    #[error("the question is empty; ask something, such as \"what is a skill?\"")]
    Empty,
    #[error("the question has {length} characters; at most {LONGEST} are taken")]
    TooLong { length: usize },
    #[error("the question has the character U+{:04X} in it; of control characters only line feeds and tabs are taken",
        u32::from(*character))]
    ControlCharacter { character: char },
    #[error("the question has no word in it to look for")]
    NoWords,
}

impl Question {
    /// Reads a question.
    pub(crate) fn new(text: &str) -> Result<Self, InvalidQuestion> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 {
            return Err(InvalidQuestion::Empty);
        }
        if length > LONGEST {
            return Err(InvalidQuestion::TooLong { length });
        }
        if let Some(character) = text.chars().find(|character| is_refused(*character)) {
            return Err(InvalidQuestion::ControlCharacter { character });
        }
        let terms = terms(text);
        if terms.is_empty() {
            return Err(InvalidQuestion::NoWords);
        }
        Ok(Self { text: text.to_owned(), terms })
    }

    /// The question as it was asked, without the spaces around it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The terms to search for: the significant words of the question, each once.
    pub(crate) fn terms(&self) -> &[String] {
        &self.terms
    }
}

/// Whether people do not write such a character. PostgreSQL refuses text that contains a NUL.
fn is_refused(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\t')
}

/// The words without the stop words; all of them if the question consists of stop words.
fn terms(text: &str) -> Vec<String> {
    let mut terms = distinct(words(text).filter(|word| !is_stop_word(word)));
    if terms.is_empty() {
        terms = distinct(words(text));
    }
    terms
}

/// The first word of each stem.
fn distinct(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut terms = Vec::<String>::new();
    for word in words {
        if terms.len() < MOST_TERMS && !terms.iter().any(|term| stem(term) == stem(&word)) {
            terms.push(word);
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms_of(text: &str) -> Vec<String> {
        Question::new(text).expect("a question").terms
    }

    #[test]
    fn terms_are_the_words_that_carry_the_question() {
        assert_eq!(terms_of("How do I log the logs of an agent?"), ["log", "agent"]);
        assert_eq!(terms_of("What is it?"), ["what", "is", "it"]);
    }

    #[test]
    fn a_text_without_words_is_no_question() {
        assert_eq!(Question::new(" \n").unwrap_err(), InvalidQuestion::Empty);
        assert_eq!(Question::new("?!").unwrap_err(), InvalidQuestion::NoWords);
    }

    #[test]
    fn of_control_characters_only_line_feeds_and_tabs_are_taken() {
        assert_eq!(terms_of("green\n\ttea"), ["green", "tea"]);
        for character in ['\0', '\u{7}', '\r', '\u{1b}', '\u{7f}', '\u{9f}'] {
            let refused = Question::new(&format!("green{character}tea")).unwrap_err();
            assert_eq!(refused, InvalidQuestion::ControlCharacter { character });
        }
        let refused = Question::new("green\0tea").unwrap_err().to_string();
        assert!(refused.starts_with("the question has the character U+0000 in it"), "{refused}");
    }

    #[test]
    fn a_question_has_at_most_500_characters() {
        assert!(Question::new(&"ä".repeat(500)).is_ok());
        assert_eq!(Question::new(&"ä".repeat(501)).unwrap_err(), InvalidQuestion::TooLong { length: 501 });
    }
}
