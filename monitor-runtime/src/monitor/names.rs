//! Rules for names.

/// The maximum length of a check's name, and of a Kubernetes label value.
const LONGEST: usize = 63;

/// Whether a check's name is `[a-z][a-z0-9_-]{0,62}`.
pub(super) fn is_check_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(inner)
}

/// Whether a service's name is a non-empty Kubernetes label value
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>).
pub(super) fn is_service_name(name: &str) -> bool {
    let edge = |char: char| char.is_ascii_alphanumeric();
    name.len() <= LONGEST
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.bytes().all(is_service_byte)
}

/// Whether a base path is one or more segments of characters that need no escape, each after a `/`.
pub(super) fn is_base_path(path: &str) -> bool {
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    path.strip_prefix('/').is_some_and(|segments| segments.split('/').all(is_segment))
}

/// Whether a host is a name as a request has it, in lower case.
#[cfg(feature = "dashboard")]
pub(super) fn is_host_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    !name.is_empty() && name.bytes().all(is_known)
}

fn is_service_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// The name of the executable without its extension, adapted to the rule for service names; `unknown` if nothing is
/// left.
pub(super) fn default_service_name() -> String {
    let executable = std::env::current_exe().ok();
    let stem = executable.as_deref().and_then(|path| path.file_stem()).unwrap_or_default();
    to_service_name(&stem.to_string_lossy())
}

fn to_service_name(text: &str) -> String {
    let fitting: String = text
        .chars()
        .map(|char| if u8::try_from(char).is_ok_and(is_service_byte) { char } else { '-' })
        .skip_while(|char| !char.is_ascii_alphanumeric())
        .take(LONGEST)
        .collect();
    let name = fitting.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
    if name.is_empty() { "unknown".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths_are_whole_segments_that_need_no_escape() {
        for path in ["/internal", "/a/b-c/d.e_f~1"] {
            assert!(is_base_path(path), "{path}");
        }
        let wrong =
            ["", "/", "a", "/a/", "//a", "/a//b", "/a b", "/{a}", "/*a", "/a?b", "/a#b", "/ä", "/a/..", "/."];
        for path in wrong {
            assert!(!is_base_path(path), "{path}");
        }
    }

    #[cfg(feature = "dashboard")]
    #[test]
    fn hosts_are_names_without_scheme_and_port() {
        assert!(["ops", "ops.example.com", "my_host-2.internal"].into_iter().all(is_host_name));
        let wrong = ["", "https://ops", "ops:8443", "ops/monitor", "[::1]", "o ps", "öps.example"];
        assert!(!wrong.into_iter().any(is_host_name));
    }

    #[test]
    fn check_names_are_lower_case_words() {
        for name in ["a", "database", "search-index_2", &"x".repeat(63)] {
            assert!(is_check_name(name), "{name}");
        }
        for name in ["", "Database", "2nd", "-a", "a b", "a/b", "dé", &"x".repeat(64)] {
            assert!(!is_check_name(name), "{name}");
        }
    }

    #[test]
    fn service_names_are_kubernetes_label_values() {
        for name in ["a", "Agent.Service-2_x", &"x".repeat(63)] {
            assert!(is_service_name(name), "{name}");
        }
        for name in ["", "-a", "a-", ".a", "a b", "a/b", "é", &"x".repeat(64)] {
            assert!(!is_service_name(name), "{name}");
        }
    }

    #[test]
    fn any_executable_gives_a_valid_service_name() {
        assert_eq!(to_service_name("agent_service"), "agent_service");
        assert_eq!(to_service_name("(my service)"), "my-service");
        assert_eq!(to_service_name("日本"), "unknown");
        for stem in ["", "...", "x".repeat(99).as_str(), &format!("{}.", "y".repeat(62))] {
            let name = to_service_name(stem);
            assert!(is_service_name(&name), "{stem:?} gave {name:?}");
        }
        assert!(is_service_name(&default_service_name()));
    }
}
