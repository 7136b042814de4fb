//! The sign-in of a browser, which cannot send the bearer token with each request: a cookie that only this process can make.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ::http::HeaderMap;
use ::http::header::COOKIE;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The begin of the name of every cookie. The rest differs by process: browsers send a cookie to all ports of a host, and keep
/// one of a name.
const NAME: &str = "monitor_session_";

/// How long a sign-in lasts.
const LASTS: Duration = Duration::from_secs(43_200);

/// The sign-ins of a process: a cookie holds when it expires, and an authentication code of that with a key of the process.
/// Nothing is kept for each, and a restart ends all.
#[derive(Default)]
pub(super) struct Sessions {
    /// Made at the first use; `None` if the system has no randomness.
    key: OnceLock<Option<Key>>,
}

struct Key {
    bytes: [u8; 32],
    /// Expiries count from here, so that a change of the system's clock moves none.
    begun: Instant,
    /// The name of the cookie.
    name: String,
}

/// The requests that a browser sends the cookie with.
#[derive(Clone, Copy, Debug)]
pub(in crate::monitor) struct Scope<'s> {
    /// The root of the page.
    pub(in crate::monitor) path: &'s str,
    /// Whether they go by HTTPS only.
    pub(in crate::monitor) is_https: bool,
}

impl Scope<'_> {
    /// The value of `set-cookie`.
    fn cookie(self, name: &str, value: &str, lasts: Duration) -> String {
        let (path, age) = (self.path, lasts.as_secs());
        let secure = if self.is_https { "; Secure" } else { "" };
        format!("{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
    }
}

/// The answer to a token.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::monitor) enum SignIn {
    /// The value for `set-cookie`.
    Admitted(String),
    Wrong,
    /// The system has no randomness for a key.
    NoKey,
}

impl Sessions {
    /// Answers a token.
    pub(super) fn sign_in(&self, scope: &Scope<'_>, is_right: bool) -> SignIn {
        if !is_right {
            return SignIn::Wrong;
        }
        let Some(key) = self.key() else { return SignIn::NoKey };
        let value = key.cookie(key.begun.elapsed() + LASTS);
        SignIn::Admitted(scope.cookie(&key.name, &value, LASTS))
    }

    /// The value of `set-cookie` that ends a sign-in.
    pub(super) fn sign_out(&self, scope: &Scope<'_>) -> String {
        let name = self.key.get().and_then(Option::as_ref).map_or(NAME, |key| &key.name);
        scope.cookie(name, "", Duration::ZERO)
    }

    /// Whether one of the cookies is that of a sign-in that lasts.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(Some(key)) = self.key.get() else { return false };
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let now = key.begun.elapsed();
        pairs.filter(|(name, _)| *name == key.name).any(|(_, value)| key.holds(value, now))
    }

    fn key(&self) -> Option<&Key> {
        let make = || {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).ok()?;
            let mut name = [0; 4];
            getrandom::fill(&mut name).ok()?;
            Some(Key {
                bytes,
                begun: Instant::now(),
                name: format!("{NAME}{:08x}", u32::from_ne_bytes(name)),
            })
        };
        self.key.get_or_init(make).as_ref()
    }
}

impl Key {
    /// The value of a cookie: the second of its expiry, and the code of that.
    fn cookie(&self, expires: Duration) -> String {
        let expires = expires.as_secs().to_string();
        let code = self.code(&expires).finalize().into_bytes();
        let mut cookie = format!("{expires}.");
        for byte in code {
            // Writing into memory cannot fail.
            let _ = write!(cookie, "{byte:02x}");
        }
        cookie
    }

    /// Whether the code is ours, compared in constant time, and the expiry is to come.
    fn holds(&self, value: &str, now: Duration) -> bool {
        let Some((expires, code)) = value.split_once('.') else { return false };
        let Some(code) = bytes_of(code) else { return false };
        self.code(expires).verify_slice(&code).is_ok()
            && expires.parse().is_ok_and(|expires| Duration::from_secs(expires) > now)
    }

    fn code(&self, text: &str) -> Hmac<Sha256> {
        // A key of any length is taken.
        let mut code = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&self.bytes)
            .unwrap_or_else(|_| unreachable!("a key of any length is taken"));
        code.update(text.as_bytes());
        code
    }
}

/// The bytes of 64 hexadecimal digits.
fn bytes_of(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len()
        || !text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    const HTTP: Scope<'_> = Scope { path: "/monitor", is_https: false };

    fn signed_in(sessions: &Sessions) -> String {
        let SignIn::Admitted(cookie) = sessions.sign_in(&HTTP, true) else { panic!("refused") };
        cookie
    }

    fn admitted(sessions: &Sessions, cookie: &str) -> bool {
        sessions.admit(&HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())]))
    }

    #[test]
    fn a_cookie_is_admitted_by_the_process_that_made_it() {
        let (sessions, others) = (Sessions::default(), Sessions::default());
        signed_in(&others);
        let cookie = signed_in(&sessions);
        assert!(cookie.ends_with("; Path=/monitor; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        assert!(admitted(&sessions, pair) && admitted(&sessions, &format!("a=b; {pair}; c")));
        assert!(!admitted(&others, pair), "the key of another process");
        let (name, value) = pair.split_once('=').unwrap();
        let (expires, code) = value.split_once('.').unwrap();
        for wrong in [
            format!("{name}=9{expires}.{code}"),
            format!("{name}={expires}."),
            format!("{name}={expires}.{}", &code[1..]),
            format!("{name}={expires}.{}", code.to_uppercase() + "x"),
            format!("{name}={expires}"),
            format!("other={value}"),
            sessions.sign_out(&HTTP).split(';').next().unwrap().to_owned(),
        ] {
            assert!(!admitted(&sessions, &wrong), "{wrong}");
        }
    }

    #[test]
    fn cookies_of_processes_on_one_host_have_different_names() {
        let both = [Sessions::default(), Sessions::default()];
        let cookies = both.each_ref().map(signed_in);
        let pairs = cookies.each_ref().map(|cookie| cookie.split(';').next().unwrap());
        let names = pairs.map(|pair| pair.split_once('=').unwrap().0);
        assert_ne!(names[0], names[1]);
        assert!(both.iter().all(|sessions| admitted(sessions, &pairs.join("; "))));
        assert!(both[1].sign_out(&HTTP).starts_with(&format!("{}=; Path=/monitor; Max-Age=0;", names[1])));
    }

    #[test]
    fn cookies_are_of_the_page_and_of_its_scheme() {
        let scope = Scope { path: "/internal/monitor", is_https: true };
        let sessions = Sessions::default();
        let SignIn::Admitted(cookie) = sessions.sign_in(&scope, true) else { panic!("refused") };
        let rest = "; Path=/internal/monitor; Max-Age=43200; HttpOnly; SameSite=Strict; Secure";
        assert!(cookie.ends_with(rest), "{cookie}");
        let ended = "=; Path=/internal/monitor; Max-Age=0; HttpOnly; SameSite=Strict; Secure";
        assert!(sessions.sign_out(&scope).ends_with(ended));
    }

    #[test]
    fn a_cookie_expires() {
        let key = Key { bytes: [7; 32], begun: Instant::now(), name: NAME.to_owned() };
        let value = key.cookie(LASTS);
        assert!(key.holds(&value, LASTS.saturating_sub(Duration::from_secs(1))));
        assert!(!key.holds(&value, LASTS));
    }

    #[test]
    fn a_wrong_token_is_none() {
        assert_eq!(Sessions::default().sign_in(&HTTP, false), SignIn::Wrong);
    }
}
