//! The settings of other instances.

use std::fmt;
use std::net::SocketAddr;

use super::endpoints::bearer;
use super::error::BuildError;

/// The other instances of a service, which the live page shows beside its own.
///
/// The process asks them itself, at their admin listeners; a browser never does.
///
/// ```
/// use monitor_runtime::{Dashboard, Monitor, Peers};
///
/// let peers = Peers::dns("agents.internal:8081");
/// let monitor = Monitor::builder().admin_port(0).dashboard(Dashboard::new().peers(peers)).build()?;
/// # Ok::<(), monitor_runtime::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "peers are asked once a `Dashboard` has them"]
pub struct Peers {
    given: Vec<String>,
    token: Option<String>,
}

impl Peers {
    /// Returns the instances at all addresses of a name, as `host:port`. A headless service of Kubernetes is such a name.
    ///
    /// The name is resolved again every ten seconds while somebody looks. It may contain the process itself.
    pub fn dns(name: impl Into<String>) -> Self {
        Self::list([name])
    }

    /// Returns the instances at these places, each an address with a port or `host:port`.
    ///
    /// A host stands for all its addresses. At most 64 instances are shown; further ones are counted.
    pub fn list<P: Into<String>>(places: impl IntoIterator<Item = P>) -> Self {
        Self { given: places.into_iter().map(Into::into).collect(), token: None }
    }

    /// Sets the bearer token of the instances (default: the [`bearer_token`](crate::MonitorBuilder::bearer_token) of this
    /// monitor).
    ///
    /// Whoever reaches this page reads the instances with it, so this monitor needs a `bearer_token` as well. Whether recorded
    /// contents are shown is the setting of each instance.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Returns the places to ask.
    pub(super) fn places(&self) -> Result<Vec<Place>, BuildError> {
        if self.given.is_empty() {
            return Err(BuildError::NoPeers);
        }
        let place =
            |given: &String| Place::parse(given).ok_or_else(|| BuildError::Peer { given: given.clone() });
        self.given.iter().map(place).collect()
    }

    /// Returns the token to send, which is this one of the monitor by default.
    pub(super) fn token_or<'p>(&'p self, own: Option<&'p str>) -> Result<Option<&'p str>, BuildError> {
        match self.token.as_deref() {
            Some(token) if token.is_empty() || !bearer::is_token(token) => Err(BuildError::PeersToken),
            Some(_) if own.is_none() => Err(BuildError::PeersOpen),
            Some(token) => Ok(Some(token)),
            None => Ok(own),
        }
    }
}

/// Shows whether there is a token, and not the token.
impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_some() { "set" } else { "unset" };
        f.debug_struct("Peers").field("given", &self.given).field("token", &token).finish()
    }
}

/// Where instances are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Address(SocketAddr),
    /// All addresses of a host.
    Host {
        name: String,
        port: u16,
    },
}

impl Place {
    fn parse(given: &str) -> Option<Self> {
        if let Ok(address) = given.parse::<SocketAddr>() {
            return (address.port() != 0).then_some(Self::Address(address));
        }
        let (name, port) = given.rsplit_once(':')?;
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_name = (1..=253).contains(&name.len()) && name.bytes().all(is_of_name);
        let port = port.parse().ok().filter(|port| *port != 0)?;
        is_name.then(|| Self::Host { name: name.to_owned(), port })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host { name, port } => write!(f, "{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_addresses_and_hosts_with_a_port() {
        let places = Peers::list(["10.0.0.7:8081", "[::1]:9", "agents_1.internal.:65535"]).places().unwrap();
        let host = Place::Host { name: "agents_1.internal.".to_owned(), port: 65_535 };
        let address = |text: &str| Place::Address(text.parse().unwrap());
        assert_eq!(places, [address("10.0.0.7:8081"), address("[::1]:9"), host]);
        assert!(matches!(Peers::list([""; 0]).places(), Err(BuildError::NoPeers)));
        for wrong in [
            "",
            ":8081",
            "agents.internal",
            "10.0.0.7",
            "10.0.0.7:0",
            "a:0",
            "a:65536",
            "a:http",
            "http://a:80",
            "a:80/",
            "::1:80",
            "[::1]",
            "a b:80",
            "ä:80",
        ] {
            let refused = Peers::dns(wrong).places().unwrap_err().to_string();
            assert!(refused.starts_with(&format!("invalid peer {wrong:?}; expected ")), "{refused}");
        }
    }

    #[test]
    fn a_token_of_their_own_takes_the_place_of_ours_and_is_not_shown() {
        let peers = Peers::dns("a:1");
        assert_eq!(peers.token_or(Some("ours")).unwrap(), Some("ours"));
        let peers = peers.token("theirs");
        assert_eq!(peers.token_or(Some("ours")).unwrap(), Some("theirs"));
        assert!(!format!("{peers:?}").contains("theirs"));
        assert!(matches!(peers.token_or(None), Err(BuildError::PeersOpen)));
        for wrong in ["", "a b", "a\r\nb"] {
            let peers = Peers::dns("a:1").token(wrong);
            assert!(matches!(peers.token_or(None), Err(BuildError::PeersToken)), "{wrong:?}");
        }
    }
}
