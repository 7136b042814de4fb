//! The grouping key, as the path of a Pushgateway's URL
//! (<https://github.com/prometheus/pushgateway#url>).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::PushError;

/// The path of a job's group.
pub(super) fn path(job: &str, labels: &[(&str, &str)]) -> Result<String, PushError> {
    if job.is_empty() {
        return Err(PushError::EmptyJob);
    }
    let mut seen = BTreeSet::new();
    let mut path = format!("/metrics{}", segments("job", job));
    for (name, value) in labels {
        if !is_label(name) {
            return Err(PushError::Label { name: (*name).to_owned() });
        }
        if !seen.insert(name) {
            return Err(PushError::DuplicateLabel { name: (*name).to_owned() });
        }
        path.push_str(&segments(name, value));
    }
    Ok(path)
}

/// The path segments of one label. Values with special characters are encoded: a slash cannot be escaped in any other
/// way.
fn segments(name: &str, value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    match value {
        // The base64 of an empty text would be an empty segment.
        "" => format!("/{name}@base64/="),
        // `.` and `..` have a meaning in a path.
        value if value.bytes().all(is_plain) && !matches!(value, "." | "..") => format!("/{name}/{value}"),
        value => format!("/{name}@base64/{}", URL_SAFE.encode(value)),
    }
}

fn is_label(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name != "job"
        && name.bytes().all(is_inner)
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_path_and_what_is_not_plain_is_encoded() {
        assert_eq!(path("nightly", &[]).unwrap(), "/metrics/job/nightly");
        assert_eq!(path("nightly", &[("region", "eu")]).unwrap(), "/metrics/job/nightly/region/eu");
        assert_eq!(path("a/b", &[]).unwrap(), "/metrics/job@base64/YS9i");
        assert_eq!(path("..", &[]).unwrap(), "/metrics/job@base64/Li4=");
        assert_eq!(path("j", &[("zone", "")]).unwrap(), "/metrics/job/j/zone@base64/=");
        assert_eq!(path("j", &[("city", "Köln")]).unwrap(), "/metrics/job/j/city@base64/S8O2bG4=");
    }

    #[test]
    fn a_key_that_is_none_is_refused_with_what_is_accepted() {
        let refused = |job, labels: &[(&str, &str)]| path(job, labels).unwrap_err().to_string();
        assert!(refused("", &[]).starts_with("the job's name is empty; expected"));
        for name in ["", "1st", "a-b", "job", "ü"] {
            assert!(refused("j", &[(name, "x")]).starts_with(&format!("invalid grouping label {name:?};")));
        }
        assert_eq!(
            refused("j", &[("a", "1"), ("a", "2")]),
            "the grouping label `a` is given twice; expected each label once"
        );
    }
}
