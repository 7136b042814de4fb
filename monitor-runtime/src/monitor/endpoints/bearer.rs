//! The bearer token, which protects everything but the status codes of probes.

use ::http::HeaderMap;
use ::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;

/// The bearer token for bodies and metrics, if one is set.
#[derive(Default)]
pub(crate) struct BearerAuth(Option<Box<str>>);

impl BearerAuth {
    pub(crate) fn new(token: Option<&str>) -> Self {
        Self(token.map(Into::into))
    }

    /// Whether a token is set.
    #[cfg(feature = "http")]
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the request may see everything. The time of the comparison reveals only the length of the token.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.0 else { return true };
        bearer(headers).is_some_and(|given| given.ct_eq(token.as_bytes()).into())
    }
}

/// Whether a request can carry the text as a token: <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>.
pub(crate) fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

/// The token, if there is exactly one header `authorization`: <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (only, None) = (given.next()?, given.next()) else { return None };
    let (scheme, token) = only.as_bytes().split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    fn admitted(headers: &[&str]) -> bool {
        let headers = headers
            .iter()
            .map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).expect("a header value")));
        BearerAuth::new(Some("s3cret")).admits(&headers.collect())
    }

    #[test]
    fn the_token_alone_is_admitted() {
        assert!(admitted(&["Bearer s3cret"]));
        assert!(
            admitted(&["bearer  s3cret "]),
            "the scheme is known in any case, and spaces are no part of it"
        );
        for headers in [
            &[][..],
            &["s3cret"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer s3cre"],
            &["Bearer s3cret2"],
            &["Bearer S3cret"],
            &["Basic s3cret"],
            &["Bearer s3cret", "Bearer s3cret"],
            &["é"],
        ] {
            assert!(!admitted(headers), "{headers:?}");
        }
    }

    #[test]
    fn without_a_token_everybody_is_admitted() {
        assert!(BearerAuth::default().admits(&HeaderMap::new()));
    }
}
