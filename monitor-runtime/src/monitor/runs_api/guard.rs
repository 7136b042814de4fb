//! Which requests may read runs.
//!
//! A loopback address is no boundary: a page in a browser of this machine may send requests to it, under a name of its own
//! that resolves to 127.0.0.1. Its requests show that by `Host` and `Sec-Fetch-Site`.

use std::net::{Ipv4Addr, Ipv6Addr};

use ::http::header::HOST;
use ::http::uri::Authority;
use ::http::{HeaderMap, Method, StatusCode, Uri};

use super::refusal::Refusal;
use crate::monitor::endpoints::Endpoints;
use crate::monitor::endpoints::bearer::BearerAuth;

/// The machines that reach a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum Reach {
    /// Only this one.
    Loopback,
    Others,
}

/// Who may read runs, and under which names of the listener.
#[derive(Clone, Copy)]
pub(in crate::monitor) struct Gate<'g> {
    pub(in crate::monitor) bearer: &'g BearerAuth,
    pub(in crate::monitor) reach: Reach,
    /// Further names of the listener, in lower case.
    pub(in crate::monitor) hosts: &'g [String],
}

impl<'g> Gate<'g> {
    pub(in crate::monitor) fn of(endpoints: &'g Endpoints, reach: Reach) -> Self {
        #[cfg(feature = "dashboard")]
        let hosts = endpoints.dashboard.as_ref().map_or(&[][..], |dashboard| &dashboard.hosts);
        #[cfg(not(feature = "dashboard"))]
        let hosts = &[];
        Self { bearer: &endpoints.bearer, reach, hosts }
    }
}

/// Refuses a request to a listener that may show nothing, or under a name that it does not have.
pub(in crate::monitor) fn check_place(gate: Gate<'_>, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    if gate.reach == Reach::Others && !gate.bearer.is_set() {
        let reason = "other machines reach this listener, so runs are shown only with a bearer token; set `bearer_token`";
        return Err(Refusal::new(StatusCode::FORBIDDEN, reason));
    }
    if !host_of(uri, headers).is_some_and(|host| is_own_host(host, gate.hosts)) {
        #[cfg(not(feature = "dashboard"))]
        let reason = "the host must be an address, `localhost` or below `.localhost`";
        #[cfg(feature = "dashboard")]
        let reason = "the host must be an address, `localhost`, below `.localhost`, or one that `Dashboard::host` names";
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, reason));
    }
    Ok(())
}

/// Refuses a request that a page of another site made.
pub(in crate::monitor) fn check_site(headers: &HeaderMap) -> Result<(), Refusal> {
    if !is_same_site(headers) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "the request comes from a page of another site"));
    }
    Ok(())
}

/// Refuses a request that may not read runs, or change one.
pub(super) fn check(
    gate: Gate<'_>,
    is_change: bool,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
) -> Result<(), Refusal> {
    check_place(gate, uri, headers)?;
    check_site(headers)?;
    if !gate.bearer.admits_to_page(headers) {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "runs need the header `authorization: Bearer <token>`",
        ));
    }
    let is_allowed =
        if is_change { *method == Method::POST } else { matches!(*method, Method::GET | Method::HEAD) };
    if !is_allowed {
        let [expected, methods] =
            if is_change { ["expected POST", "POST"] } else { ["expected GET or HEAD", "GET,HEAD"] };
        return Err(Refusal::method(expected, methods));
    }
    Ok(())
}

/// The host that a client names, in HTTP/1 by a header, in HTTP/2 as part of the address; `None` unless there is just one.
pub(in crate::monitor) fn host_of<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => uri.authority().map(Authority::as_str),
        _ => None,
    }
}

/// Whether the host is one that no other site's page can have, or one of these.
pub(in crate::monitor) fn is_own_host(host: &str, names: &[String]) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || is_port(port));
    }
    let (name, port) = host.find(':').map_or((host, ""), |colon| host.split_at(colon));
    let name = name.to_ascii_lowercase();
    let is_own = name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<Ipv4Addr>().is_ok()
        || names.contains(&name);
    is_own && (port.is_empty() || is_port(port))
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

/// Whether a browser that sent the request did so for a page of this listener, or for a person.
fn is_same_site(headers: &HeaderMap) -> bool {
    headers.get_all("sec-fetch-site").iter().all(|site| site == "none" || site == "same-origin")
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    fn refused(headers: &[(&'static str, &str)], reach: Reach, token: Option<&str>) -> Option<u16> {
        let headers = headers.iter().map(|(name, value)| {
            (name.parse::<::http::HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        });
        let bearer = BearerAuth::new(token);
        let gate = Gate { bearer: &bearer, reach, hosts: &["ops.example.com".to_owned()] };
        let checked = check(gate, false, (&Method::GET, &Uri::from_static("/"), &headers.collect()));
        checked.err().map(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn only_addresses_and_localhost_and_given_names_are_hosts() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8081",
            "[::1]:8081",
            "[::1]",
            "localhost:1",
            "LOCALHOST",
            "a.localhost",
            "Ops.example.com:8081",
        ] {
            assert_eq!(refused(&[("host", host)], Reach::Loopback, None), None, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "a.ops.example.com",
            "[::1",
            "[x]",
            "a:b",
            "localhost:99999",
            "",
        ] {
            assert_eq!(refused(&[("host", host)], Reach::Loopback, None), Some(421), "{host}");
        }
        assert_eq!(refused(&[], Reach::Loopback, None), Some(421));
        assert_eq!(
            refused(&[("host", "localhost"), ("host", "localhost")], Reach::Loopback, None),
            Some(421)
        );
    }

    #[test]
    fn host_of_http_2_is_in_the_address() {
        let uri = Uri::from_static("https://localhost:8081/monitor/");
        let (none, mut other) = (HeaderMap::new(), HeaderMap::new());
        other.insert(HOST, HeaderValue::from_static("evil.example"));
        assert_eq!(host_of(&uri, &none), Some("localhost:8081"));
        assert_eq!(host_of(&uri, &other), Some("evil.example"));
        assert_eq!(host_of(&Uri::from_static("/monitor/"), &none), None);
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let from = |site| refused(&[("host", "localhost"), ("sec-fetch-site", site)], Reach::Loopback, None);
        assert_eq!([from("none"), from("same-origin")], [None; 2]);
        assert_eq!([from("cross-site"), from("same-site"), from("")], [Some(403); 3]);
    }

    #[test]
    fn other_machines_need_a_token() {
        let host = ("host", "10.0.0.1");
        assert_eq!(refused(&[host], Reach::Others, None), Some(403));
        assert_eq!(refused(&[host], Reach::Others, Some("s3cret")), Some(401));
        assert_eq!(refused(&[host, ("authorization", "Bearer s3cret")], Reach::Others, Some("s3cret")), None);
    }
}
