//! Parses the URL of a probe.

use std::net::IpAddr;

/// The address to connect to, and the path to request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Host,
    pub(super) port: u16,
    /// The header `host`: `host:port`.
    pub(super) authority: String,
    /// Path and query.
    pub(super) path: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host {
    Address(IpAddr),
    Name(String),
}

impl Target {
    /// Parses a URL, or returns why it is invalid.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        // Other characters could inject into the request's head.
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has characters other than printable ASCII");
        }
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
        match &*scheme.to_ascii_lowercase() {
            "http" => {}
            "https" => {
                return Err(
                    "TLS is not supported; ask the service itself rather than a proxy in front of it",
                );
            }
            _ => return Err("its scheme is not http"),
        }
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("it has a user name, which probes do not send");
        }
        let (host, port) = split_port(authority)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: parse_host(host)?, port: parse_port(port)?, authority: authority.to_owned(), path })
    }
}

/// Splits the host from the port after the colon. Colons in brackets are part of an address.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (address, behind) = authority.split_at(end);
    match behind.split_once(':') {
        Some((host, port)) if address.is_empty() => Ok((host, Some(port))),
        None if address.is_empty() => Ok((authority, None)),
        Some(("", port)) => Ok((address, Some(port))),
        None if behind.is_empty() => Ok((address, None)),
        _ => Err("behind its address in brackets stands something other than a port"),
    }
}

fn parse_host(host: &str) -> Result<Host, &'static str> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or(address);
        let address = address.parse().map_err(|_| "what it has in brackets is no IPv6 address")?;
        return Ok(Host::Address(IpAddr::V6(address)));
    }
    if host.is_empty() {
        return Err("it has no host");
    }
    Ok(host
        .parse()
        .map_or_else(|_| Host::Name(host.to_owned()), |address| Host::Address(IpAddr::V4(address))))
}

fn parse_port(port: Option<&str>) -> Result<u16, &'static str> {
    let Some(port) = port else { return Ok(80) };
    let number = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten();
    number.filter(|port| *port > 0).ok_or("its port is no number from 1 to 65535")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn parsed(url: &str) -> (Host, u16, String) {
        let target = Target::parse(url).unwrap();
        (target.host, target.port, target.path)
    }

    #[test]
    fn a_url_says_where_to_connect_and_what_to_ask_for() {
        let v4 = || Host::Address(Ipv4Addr::LOCALHOST.into());
        let v6 = || Host::Address(Ipv6Addr::LOCALHOST.into());
        assert_eq!(parsed("http://127.0.0.1:3000/health/live"), (v4(), 3000, "/health/live".into()));
        assert_eq!(parsed("HTTP://[::1]:8080"), (v6(), 8080, "/".into()));
        assert_eq!(parsed("http://[::1]?verbose"), (v6(), 80, "/?verbose".into()));
        assert_eq!(parsed("http://localhost/a?b=c#d"), (Host::Name("localhost".into()), 80, "/a?b=c".into()));
    }

    #[test]
    fn targets_that_cannot_be_asked_are_refused() {
        for (url, reason) in [
            ("", "it has no scheme"),
            ("localhost:3000/health/live", "it has no scheme"),
            ("ftp://localhost", "its scheme is not http"),
            (
                "https://localhost",
                "TLS is not supported; ask the service itself rather than a proxy in front of it",
            ),
            ("http://", "it has no host"),
            ("http://:3000/", "it has no host"),
            ("http://user:secret@localhost/", "it has a user name, which probes do not send"),
            ("http://localhost:0/", "its port is no number from 1 to 65535"),
            ("http://localhost:65536/", "its port is no number from 1 to 65535"),
            ("http://localhost:+80/", "its port is no number from 1 to 65535"),
            ("http://localhost:/", "its port is no number from 1 to 65535"),
            ("http://[localhost]/", "what it has in brackets is no IPv6 address"),
            ("http://[::1/", "what it has in brackets is no IPv6 address"),
            ("http://[::1]80/", "behind its address in brackets stands something other than a port"),
            ("http://localhost/\r\nx: y", "it has characters other than printable ASCII"),
            ("http://localhost/ä", "it has characters other than printable ASCII"),
        ] {
            assert_eq!(Target::parse(url), Err(reason), "{url}");
        }
    }
}
