//! The bearer token, which protects everything but the status codes of probes.

#[cfg(feature = "http")]
use std::time::Duration;

#[cfg(feature = "http")]
use ::http::Extensions;
use ::http::HeaderMap;
use ::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;
#[cfg(feature = "http")]
use tokio::time::Instant;

#[cfg(feature = "dashboard")]
use super::guesses::Holding;
#[cfg(feature = "http")]
use super::guesses::{Guesses, HeldBack, hold};
#[cfg(feature = "dashboard")]
use super::session::{Scope, Sessions, SignIn};

/// The bearer token for bodies and metrics, if one is set.
#[derive(Default)]
pub(crate) struct BearerAuth {
    token: Option<Box<str>>,
    #[cfg(feature = "http")]
    guesses: Guesses,
    #[cfg(feature = "dashboard")]
    sessions: Sessions,
}

impl BearerAuth {
    pub(crate) fn new(token: Option<&str>) -> Self {
        Self {
            token: token.map(Into::into),
            #[cfg(feature = "http")]
            guesses: Guesses::default(),
            #[cfg(feature = "dashboard")]
            sessions: Sessions::default(),
        }
    }

    /// Whether a token is set.
    #[cfg(feature = "http")]
    pub(crate) fn is_set(&self) -> bool {
        self.token.is_some()
    }

    /// Whether the request may see everything. The time of the comparison reveals only the length of the token.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        bearer(headers).is_some_and(|given| given.ct_eq(token.as_bytes()).into())
    }

    /// Whether the request may see the live page: by the token, or by the cookie of a sign-in.
    #[cfg(feature = "runs")]
    pub(crate) fn admits_to_page(&self, headers: &HeaderMap) -> bool {
        #[cfg(feature = "dashboard")]
        if self.sessions.admit(headers) {
            return true;
        }
        self.admits(headers)
    }
}

#[cfg(feature = "http")]
impl BearerAuth {
    /// Holds back the answer to a request with a wrong token, if there were many wrong ones in this second. Another request
    /// goes on at once.
    pub(in crate::monitor) fn slow_down(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> impl Future<Output = ()> + use<> {
        let is_wrong = bearer(headers).is_some() && !self.admits(headers);
        let wait = if is_wrong { self.guesses.count(Instant::now()) } else { Duration::ZERO };
        // A right request never counts as held back, not even for a moment.
        let holding = is_wrong.then(|| HeldBack::begin(extensions));
        hold(wait, holding)
    }
}

#[cfg(feature = "dashboard")]
impl BearerAuth {
    /// Signs a browser in that sent this token.
    pub(in crate::monitor) fn sign_in(&self, given: &str, scope: &Scope<'_>) -> SignIn {
        let is_right =
            self.token.as_ref().is_none_or(|token| given.as_bytes().ct_eq(token.as_bytes()).into());
        self.sessions.sign_in(scope, is_right)
    }

    /// Returns the value of `set-cookie` that signs a browser out.
    pub(in crate::monitor) fn sign_out(&self, scope: &Scope<'_>) -> String {
        self.sessions.sign_out(scope)
    }

    /// Holds back the answer to a sign-in with a wrong token, if there were many wrong ones in this second.
    pub(in crate::monitor) async fn slow_down_sign_in(&self, holding: Holding) {
        hold(self.guesses.count(Instant::now()), Some(holding)).await;
    }

    /// Whether a browser that opens a page may see everything, for which it has signed in. It sends no token, so no answer
    /// depends on one here.
    pub(in crate::monitor) fn admits_signed_in(&self, headers: &HeaderMap) -> bool {
        self.token.is_none() || self.sessions.admit(headers)
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
