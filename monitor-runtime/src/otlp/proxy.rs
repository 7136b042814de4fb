//! The proxy on the way to a collector, by the variables that curl and others read.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};

use super::error::OtlpError;
use super::variables::{Variables, refused};
use crate::address::without_secrets;

/// A proxy that speaks HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of `Proxy-Authorization`, marked as sensitive.
    pub(super) authorization: Option<HeaderValue>,
}

const EXPECTED: &str = "a proxy such as `http://proxy:3128`, with `user:password@` before its host if it asks for them; SOCKS, and TLS \
                        to the proxy itself, are not supported";

impl Proxy {
    /// Reads the proxy for a host. A loopback address never has one.
    pub(super) fn read(
        variables: &Variables<'_>,
        is_tls: bool,
        host: &str,
        port: u16,
    ) -> Result<Option<Self>, OtlpError> {
        if is_loopback(host) || is_excepted(variables, host, port) {
            return Ok(None);
        }
        // In a CGI program `HTTP_PROXY` is a header of the client's request.
        let is_cgi = variables.get("REQUEST_METHOD").is_some();
        let names: &[&str] = match (is_tls, is_cgi) {
            (true, _) => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
            (false, false) => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
            (false, true) => &["http_proxy", "ALL_PROXY", "all_proxy"],
        };
        let set = names.iter().find_map(|name| Some((*name, variables.get(name)?)));
        let Some((name, value)) = set else { return Ok(None) };
        parse(&value).map(Some).ok_or_else(|| refused(name, &without_secrets(&value), EXPECTED))
    }
}

fn parse(value: &str) -> Option<Proxy> {
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let url: Uri = url.parse().ok()?;
    let has_path = url.path_and_query().is_some_and(|path| path.as_str() != "/");
    if url.scheme_str() != Some("http") || has_path {
        return None;
    }
    let authority = url.authority()?;
    let (user, place) = match authority.as_str().rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority.as_str()),
    };
    let port = place.strip_prefix(authority.host())?;
    let port = if port.is_empty() { 80 } else { port.strip_prefix(':')?.parse().ok()? };
    let authorization = match user {
        Some(user) => Some(basic(user)?),
        None => None,
    };
    let host = bare(authority.host()).to_owned();
    (!host.is_empty()).then_some(Proxy { host, port, authorization })
}

/// A user and a password, percent-encoded in the address, as HTTP sends them.
fn basic(user: &str) -> Option<HeaderValue> {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [decoded(user), decoded(password)].join(&b':');
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A host without the brackets of an IPv6 address.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_loopback(host: &str) -> bool {
    let host = bare(host).trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

/// Whether `NO_PROXY` names the host.
fn is_excepted(variables: &Variables<'_>, host: &str, port: u16) -> bool {
    let list = ["NO_PROXY", "no_proxy"].into_iter().find_map(|name| variables.get(name));
    let host = bare(host).trim_end_matches('.').to_ascii_lowercase();
    list.is_some_and(|list| {
        list.split([',', ' ']).map(str::trim).any(|member| !member.is_empty() && excepts(member, &host, port))
    })
}

/// Whether a member of `NO_PROXY` fits: `*`, a domain with those below it, an address, or a network such as
/// `10.0.0.0/8`; each but the first may name a port.
fn excepts(member: &str, host: &str, port: u16) -> bool {
    let member = member.to_ascii_lowercase();
    if member == "*" {
        return true;
    }
    let address = host.parse::<IpAddr>().ok();
    if let Some((network, bits)) = member.split_once('/') {
        let network = bare(network).parse::<IpAddr>().ok();
        return network
            .zip(address)
            .zip(bits.parse().ok())
            .is_some_and(|((network, address), bits)| is_within(network, address, bits));
    }
    let (name, named) = match member.rsplit_once(':') {
        // An IPv6 address has more than one colon, unless it is in brackets.
        Some((name, of)) if !name.contains(':') || name.ends_with(']') => (name, of.parse::<u16>().ok()),
        _ => (&*member, None),
    };
    if named.is_some_and(|named| named != port) {
        return false;
    }
    if let Ok(excepted) = bare(name).parse::<IpAddr>() {
        return address == Some(excepted);
    }
    let domain = name.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
    let above = host.strip_suffix(domain);
    !domain.is_empty() && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

fn is_within(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    // A shift by the whole width of a `u128` overflows: no bit is compared then.
    bits <= width && (network ^ address).checked_shr(width - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], is_tls: bool, host: &str, port: u16) -> Result<Option<Proxy>, OtlpError> {
        let find = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        Proxy::read(&Variables(&find), is_tls, host, port)
    }

    fn is_used(pairs: &[(&str, &str)], host: &str) -> bool {
        read(pairs, true, host, 443).unwrap().is_some()
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_proxy_is_for_the_rest() {
        let set =
            [("HTTPS_PROXY", "http://secure:1"), ("HTTP_PROXY", "plain:2"), ("ALL_PROXY", "http://all:3")];
        let host =
            |pairs: &[_], is_tls| read(pairs, is_tls, "vendor.example", 443).unwrap().map(|proxy| proxy.host);
        assert_eq!(host(&set, true).unwrap(), "secure");
        assert_eq!(host(&set, false).unwrap(), "plain");
        assert_eq!(host(&set[2..], true).unwrap(), "all");
        assert_eq!(host(&[("https_proxy", "http://lower:4")], true).unwrap(), "lower");
        assert_eq!(host(&[("HTTP_PROXY", "http://plain:2")], true), None);
        assert_eq!(host(&[("HTTP_PROXY", "http://client:2"), ("REQUEST_METHOD", "GET")], false), None);
    }

    #[test]
    fn a_proxy_may_have_a_user_a_password_and_no_port() {
        let proxy = read(&[("ALL_PROXY", "http://us%40er:p%3Aw@[2001:db8::1]")], true, "vendor", 443);
        let proxy = proxy.unwrap().unwrap();
        assert_eq!((&*proxy.host, proxy.port), ("2001:db8::1", 80));
        let authorization = proxy.authorization.unwrap();
        assert_eq!(authorization, format!("Basic {}", STANDARD.encode("us@er:p:w")));
        assert!(authorization.is_sensitive());
    }

    #[test]
    fn a_loopback_address_never_has_a_proxy() {
        let set = [("ALL_PROXY", "http://proxy:1")];
        for host in
            ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::ffff:127.0.0.1"]
        {
            assert!(!is_used(&set, host), "{host}");
        }
        for host in ["collector", "10.0.0.1", "[2001:db8::1]", "localhost.example"] {
            assert!(is_used(&set, host), "{host}");
        }
    }

    #[test]
    fn no_proxy_names_domains_addresses_networks_and_ports() {
        for (list, host, is_proxied) in [
            ("*", "vendor.example", false),
            ("example", "vendor.example", false),
            (".example", "vendor.example", false),
            ("*.example", "vendor.example", false),
            ("other, vendor.EXAMPLE", "vendor.example", false),
            ("endor.example", "vendor.example", true),
            ("vendor.example:443", "vendor.example", false),
            ("vendor.example:80", "vendor.example", true),
            ("10.0.0.0/8", "10.1.2.3", false),
            ("10.0.0.0/16", "10.1.2.3", true),
            ("0.0.0.0/0", "10.1.2.3", false),
            ("::/0", "[2001:db8::1]", false),
            ("2001:db8::/32", "[2001:db8::1]", false),
            ("2001:db8::1", "[2001:db8::1]", false),
            ("[2001:db8::1]:443", "[2001:db8::1]", false),
            ("2001:db9::/32", "[2001:db8::1]", true),
            ("10.0.0.0/8", "vendor.example", true),
            ("10.0.0.0/40", "10.1.2.3", true),
        ] {
            let set = [("ALL_PROXY", "http://proxy:1"), ("NO_PROXY", list)];
            assert_eq!(is_used(&set, host), is_proxied, "{list} and {host}");
        }
    }

    #[test]
    fn an_unusable_proxy_is_refused_without_its_password() {
        for (given, shown) in [
            ("socks5://proxy:1080", "socks5://proxy:1080"),
            ("https://proxy:1", "https://proxy:1"),
            ("http://proxy:port", "http://proxy:port"),
            ("http://proxy:1/path", "http://proxy:1/path"),
            ("socks5://user:secret@proxy:1", "socks5://…@proxy:1"),
        ] {
            let said = read(&[("HTTPS_PROXY", given)], true, "vendor", 443).unwrap_err().to_string();
            assert!(
                said.starts_with(&format!("HTTPS_PROXY is `{shown}`; expected a proxy such as")),
                "{said}"
            );
            assert!(read(&[("HTTPS_PROXY", given)], true, "127.0.0.1", 443).unwrap().is_none());
        }
    }
}
