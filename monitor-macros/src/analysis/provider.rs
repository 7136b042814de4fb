//! The names that the conventions for generative AI give to providers.

use crate::diagnostics::find_nearest_name;

/// The well-known values of `gen_ai.provider.name`:
/// <https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/registry/attributes/gen-ai.md>.
const WELL_KNOWN: [&str; 16] = [
    "anthropic",
    "aws.bedrock",
    "azure.ai.inference",
    "azure.ai.openai",
    "cohere",
    "deepseek",
    "gcp.gemini",
    "gcp.gen_ai",
    "gcp.vertex_ai",
    "groq",
    "ibm.watsonx.ai",
    "mistral_ai",
    "moonshot_ai",
    "openai",
    "perplexity",
    "x_ai",
];

/// Two edits turn a shorter word into too many others.
const LEAST_BYTES: usize = 5;

/// Finds the well-known name that `given` is but for its case, or but for at most two letters. A well-known name misses none.
pub(crate) fn find_missed_provider(given: &str) -> Option<&'static str> {
    if WELL_KNOWN.contains(&given) {
        return None;
    }
    let lower = given.to_ascii_lowercase();
    if let Some(known) = WELL_KNOWN.into_iter().find(|known| *known == lower) {
        return Some(known);
    }
    let long = WELL_KNOWN.into_iter().filter(|known| known.len() >= LEAST_BYTES);
    if lower.len() < LEAST_BYTES { None } else { find_nearest_name(&lower, long) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_found() {
        for (given, known) in [
            ("OpenAI", "openai"),
            ("opnai", "openai"),
            ("Anthropics", "anthropic"),
            ("aws-bedrock", "aws.bedrock"),
            ("mistral-ai", "mistral_ai"),
            ("Groq", "groq"),
        ] {
            assert_eq!(find_missed_provider(given), Some(known), "{given}");
        }
    }

    #[test]
    fn a_name_of_ones_own_is_none() {
        for own in
            ["local", "ollama", "openrouter", "mistral", "grok", "xai", "gemini", "together_ai", "unknown"]
        {
            assert_eq!(find_missed_provider(own), None, "{own}");
        }
        for known in WELL_KNOWN {
            assert_eq!(find_missed_provider(known), None, "{known}");
        }
    }
}
