//! Splits and compares words.

/// Words without meaning for a question's subject.
const STOP_WORDS: &[&str] = &[
    "a", "about", "an", "and", "any", "are", "as", "at", "be", "by", "can", "do", "does", "explain", "for",
    "from", "get", "had", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "me", "my",
    "notes", "of", "on", "or", "our", "say", "should", "so", "tell", "that", "the", "their", "them", "there",
    "these", "they", "this", "to", "was", "we", "were", "what", "when", "where", "which", "who", "why",
    "will", "with", "would", "you", "your",
];

/// Endings that distinguish forms of one word, the longest first.
const ENDINGS: &[&str] =
    &["ations", "ation", "ings", "ies", "ing", "ers", "ed", "er", "es", "ly", "e", "s", "y"];

/// Minimum length of a word without its ending.
const SHORTEST_STEM: usize = 3;

/// The words of a text in lower case: its runs of letters and digits.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Whether a word has no meaning for a question's subject.
pub(crate) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.contains(&word)
}

/// The stem that the forms of a word share: `cancel` for both "cancelled" and "cancellation".
pub(crate) fn stem(word: &str) -> &str {
    let stem = ENDINGS.iter().find_map(|ending| without(word, ending)).unwrap_or(word);
    let mut ends = stem.chars().rev();
    match (ends.next(), ends.next()) {
        (Some(last), Some(before)) if last == before => {
            without(stem, last.encode_utf8(&mut [0; 4])).unwrap_or(stem)
        }
        _ => stem,
    }
}

fn without<'a>(word: &'a str, ending: &str) -> Option<&'a str> {
    word.strip_suffix(ending).filter(|stem| stem.chars().count() >= SHORTEST_STEM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        let words: Vec<_> = words("GET `/health/ready`: agent_id=7, Überblick!").collect();
        assert_eq!(words, ["get", "health", "ready", "agent", "id", "7", "überblick"]);
    }

    #[test]
    fn forms_of_one_word_have_one_stem() {
        for forms in [
            &["cancel", "cancels", "cancelled", "cancellation"][..],
            &["log", "logs", "logged", "logging"],
            &["query", "queries"],
            &["service", "services"],
            &["class", "classes"],
            &["time", "timed", "timing"],
        ] {
            let stems: Vec<_> = forms.iter().map(|form| stem(form)).collect();
            assert!(stems.iter().all(|stem| *stem == stems[0]), "{forms:?} gave {stems:?}");
        }
    }

    #[test]
    fn short_words_keep_their_endings() {
        assert_eq!(["bus", "red", "äß", "s"].map(stem), ["bus", "red", "äß", "s"]);
    }
}
