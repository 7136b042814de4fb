//! The address of a language model.

use std::fmt::{self, Display};
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::Scheme;

/// An address such as `https://api.openai.com/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) is_encrypted: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Empty, or with a leading slash and without one at the end.
    pub(super) path: String,
}

impl Address {
    /// The name of the provider, as far as the address tells it.
    pub(super) fn provider(&self) -> &str {
        if self.host == "api.openai.com" { "openai" } else { &self.host }
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected one such as `http://127.0.0.1:11434/v1`";
        let uri: Uri = text.parse().map_err(|_| expected)?;
        let is_encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(expected),
        };
        let authority = uri.authority().ok_or(expected)?;
        if authority.as_str().contains('@') {
            return Err("put the key into OPENAI_API_KEY instead");
        }
        let port = authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        let (host, path) = (authority.host().to_owned(), uri.path().trim_end_matches('/').to_owned());
        Ok(Self { is_encrypted, host, port, path })
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_encrypted, host, port, path } = self;
        write!(f, "http{}://{host}:{port}{path}", if *is_encrypted { "s" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        let parsed = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(parsed("https://api.openai.com/v1/").unwrap(), "https://api.openai.com:443/v1");
        assert_eq!(parsed("http://[::1]:11434").unwrap(), "http://[::1]:11434");
        for wrong in ["", "127.0.0.1:11434", "ftp://a/v1", "http://", "model"] {
            assert_eq!(
                parsed(wrong).unwrap_err(),
                "expected one such as `http://127.0.0.1:11434/v1`",
                "{wrong}"
            );
        }
        assert_eq!(parsed("http://key@a/v1").unwrap_err(), "put the key into OPENAI_API_KEY instead");
    }

    #[test]
    fn the_host_is_the_provider_unless_it_is_well_known() {
        let provider = |text: &str| text.parse::<Address>().unwrap().provider().to_owned();
        assert_eq!(provider("https://api.openai.com/v1"), "openai");
        assert_eq!(provider("http://127.0.0.1:11434/v1"), "127.0.0.1");
    }
}
