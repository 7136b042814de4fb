//! Addresses given by users: how paths are appended, and how secrets are removed for errors and log lines.

/// Appends `path` to the path of the address, in front of its query.
pub(crate) fn below(address: &str, path: &str) -> String {
    let end = address.find('?').unwrap_or(address.len());
    let (before, query) = address.split_at(end);
    format!("{}{path}{query}", before.trim_end_matches('/'))
}

/// Whether the address has a fragment, which HTTP does not send.
pub(crate) fn has_fragment(address: &str) -> bool {
    address.contains('#')
}

/// Removes user, password and query from an address, or from a text that begins with one.
///
/// Everything up to the last `@` counts as user and password, except a scheme, since passwords are often not encoded
/// and schemes are forgotten. A query may hold a key.
pub(crate) fn without_secrets(url: &str) -> String {
    match url.rsplit_once('@') {
        None => without_query(url, &['?']),
        // The `@` may be part of a query, which then continues after it.
        Some((before, host)) => format!("{}…@{}", scheme(before), without_query(host, &['?', '&'])),
    }
}

fn without_query(text: &str, begins: &[char]) -> String {
    match text.find(begins) {
        None => text.to_owned(),
        Some(at) => format!("{}?…", &text[..at]),
    }
}

/// The scheme with its delimiter, if the text begins with a valid one. Anything else may be part of a password.
fn scheme(text: &str) -> &str {
    let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    match text.find("://") {
        Some(end) if text.bytes().take(end).all(is_of_scheme) => &text[..end + "://".len()],
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_left_out_whatever_is_in_them() {
        assert_eq!(without_secrets("http://user:p@ss:w/ord@host:1/path"), "http://…@host:1/path");
        assert_eq!(without_secrets("http://token@host"), "http://…@host");
    }

    #[test]
    fn user_and_password_are_left_out_without_a_scheme_too() {
        for url in ["user:secret@host:1", "//user:secret@host:1", "user:sec://ret@host:1", "://secret@host:1"]
        {
            let shown = without_secrets(url);
            assert!(shown.ends_with("…@host:1") && !shown.contains("sec"), "{url}: {shown}");
        }
    }

    #[test]
    fn an_address_without_them_stays_as_it_is() {
        for url in ["http://host:1/path", "host", ""] {
            assert_eq!(without_secrets(url), url);
        }
    }

    #[test]
    fn a_query_is_left_out_as_well() {
        assert_eq!(without_secrets("http://host:1/path?key=secret"), "http://host:1/path?…");
        assert_eq!(without_secrets("http://u:p@host:1/path?key=secret"), "http://…@host:1/path?…");
        assert_eq!(without_secrets("http://host/?mail=a@b&key=secret"), "http://…@b?…");
    }

    #[test]
    fn a_path_goes_behind_that_of_the_address_and_before_its_query() {
        assert_eq!(below("http://host:1/", "/a/b"), "http://host:1/a/b");
        assert_eq!(below("http://host:1/base/?x=1/", "/a"), "http://host:1/base/a?x=1/");
        assert_eq!(below("http://host:1?x", "/a"), "http://host:1/a?x");
    }
}
