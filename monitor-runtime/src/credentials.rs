//! What an address says of who asks, which no error and no log line may show.

/// The address, or a text that begins with one, without the user and the password in it: all up to the last `@` but a scheme,
/// since people write passwords as they are and forget schemes.
pub(crate) fn without_credentials(url: &str) -> String {
    match url.rsplit_once('@') {
        None => url.to_owned(),
        Some((before, host)) => format!("{}…@{host}", scheme(before)),
    }
}

/// The scheme in front with what ends it, or nothing: what looks otherwise may be part of a password.
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
        assert_eq!(without_credentials("http://user:p@ss:w/ord@host:1/path"), "http://…@host:1/path");
        assert_eq!(without_credentials("http://token@host"), "http://…@host");
    }

    #[test]
    fn user_and_password_are_left_out_without_a_scheme_too() {
        for url in ["user:secret@host:1", "//user:secret@host:1", "user:sec://ret@host:1", "://secret@host:1"]
        {
            let shown = without_credentials(url);
            assert!(shown.ends_with("…@host:1") && !shown.contains("sec"), "{url}: {shown}");
        }
    }

    #[test]
    fn an_address_without_them_stays_as_it_is() {
        for url in ["http://host:1/path", "host", ""] {
            assert_eq!(without_credentials(url), url);
        }
    }
}
