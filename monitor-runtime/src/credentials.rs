//! What an address says of who asks, which no error and no log line may show.

/// The address without the user and the password in it.
pub(crate) fn without_credentials(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://…@{}", &url[..scheme], &url[at + 1..]),
        _ => url.to_owned(),
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
    fn an_address_without_them_stays_as_it_is() {
        for url in ["http://host:1/path", "host", "user@host", ""] {
            assert_eq!(without_credentials(url), url);
        }
    }
}
