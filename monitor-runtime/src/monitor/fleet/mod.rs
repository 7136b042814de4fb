//! The other instances of the service, asked while somebody looks.
//!
//! Answers are shared for a second. Each instance has a second to answer, so one that is frozen holds nobody up for longer.

mod client;
pub(super) mod figures;
mod names;
mod passing;
pub(super) mod reading;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::peers::Place;
pub(super) use client::authority;
use client::{Ask, Fault};
use names::Names;
pub(super) use passing::{LAST_EVENT_ID, Passed, Passing};
use reading::{Identity, Reading};

/// The instances that are asked at most; further ones are counted.
const MOST: usize = 64;

/// How long an instance may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long an answer is shared.
const SHARED: Duration = Duration::from_secs(1);

/// How long the ids of a look are taken for right.
const KNOWN: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const MOST_BYTES: usize = 1 << 20;

/// The other instances.
pub(super) struct Fleet {
    names: Names,
    /// The header with the bearer token.
    authorization: Option<HeaderValue>,
    /// The root of the API of an instance.
    root: String,
    /// Held during a look.
    peers: Mutex<Vec<Peer>>,
    looked: StdMutex<Option<(Instant, Arc<Look>)>>,
}

/// All instances but this one, at one moment.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) peers: Vec<Peer>,
    /// The address of this one, if it is among those given.
    pub(super) own: Option<SocketAddr>,
    /// Addresses beyond those that are asked.
    pub(super) left_out: usize,
    /// A sentence for each name without an address.
    pub(super) faults: Vec<String>,
}

/// An instance at an address.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) standing: Standing,
    /// When its standing began.
    pub(super) since: SystemTime,
    /// Its last reading, and when that came.
    pub(super) last: Option<(SystemTime, Arc<Reading>)>,
}

/// How an instance stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Answers,
    /// It answers with another status than 200.
    Refuses(u16),
    /// It answers with something else than figures.
    Unreadable(String),
    Silent(String),
}

impl Fleet {
    /// The token is one that a header can carry.
    pub(super) fn new(places: Vec<Place>, token: Option<&str>, base_path: &str) -> Self {
        let authorization = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
        let authorization = authorization.map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Self {
            names: Names::new(places),
            authorization,
            root: format!("{base_path}/monitor/api/v1"),
            peers: Mutex::default(),
            looked: StdMutex::default(),
        }
    }

    /// The number of instances at the last look, this one included; 0 before the first.
    pub(super) fn known(&self) -> usize {
        self.last().map_or(0, |(_, look)| 1 + look.peers.len() + look.left_out)
    }

    /// Looks at all instances, unless somebody did so in the last second. Those that look meanwhile wait for the same look.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the look is given up, and the next one begins anew.
    pub(super) async fn look(&self, own: &Identity) -> Arc<Look> {
        let mut peers = self.peers.lock().await;
        if let Some((_, look)) = self.last().filter(|(at, _)| at.elapsed() < SHARED) {
            return look;
        }
        let (addresses, faults) = self.names.addresses().await;
        renew(&mut peers, addresses);
        self.ask_all(&mut peers, own).await;
        let look = Arc::new(Look { left_out: self.names.left_out(), faults, ..Look::of(&peers, own) });
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), Arc::clone(&look)));
        look
    }

    /// Finds the address of an instance by its address, or by its id if that is the id of just one, for which it looks at all.
    pub(super) async fn find(&self, instance: &str, own: &Identity) -> Option<SocketAddr> {
        let (addresses, _) = self.names.addresses().await;
        let by_address = addresses.into_iter().find(|address| client::authority(*address) == instance);
        if by_address.is_some() {
            return by_address;
        }
        // Each file and each answer of a page is asked for by its id, and a look may wait for an instance that is frozen.
        let recent = self.last().filter(|(at, _)| at.elapsed() < KNOWN);
        let found = recent.and_then(|(_, look)| look.find(instance));
        if found.is_some() { found } else { self.look(own).await.find(instance) }
    }

    fn last(&self) -> Option<(Instant, Arc<Look>)> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks every instance but this one.
    async fn ask_all(&self, peers: &mut [Peer], own: &Identity) {
        let mut asked = JoinSet::new();
        for (at, peer) in peers.iter().enumerate().filter(|(_, peer)| peer.identity() != Some(own)) {
            let address = peer.address;
            let (target, authorization) = (format!("{}/instance", self.root), self.authorization.clone());
            asked.spawn(async move { (at, ask(address, &target, authorization).await) });
        }
        while let Some(answered) = asked.join_next().await {
            if let Ok((at, answer)) = answered {
                peers[at].note(answer);
            }
        }
    }
}

/// Asks an instance for its figures.
async fn ask(
    address: SocketAddr,
    target: &str,
    authorization: Option<HeaderValue>,
) -> Result<Reading, Standing> {
    let ask = Ask { address, method: Method::GET, target, headers: HeaderMap::new(), authorization };
    let answer = async {
        let response = client::send(ask, PATIENCE).await?;
        if response.status() != StatusCode::OK {
            return Ok(Err(Standing::Refuses(response.status().as_u16())));
        }
        let body = response.into_body().read(MOST_BYTES).await?;
        let unreadable = || Standing::Unreadable("it answers with something else than figures".to_owned());
        Ok(Reading::parse(&body).ok_or_else(unreadable))
    };
    let answer = timeout(PATIENCE, answer).await;
    let late = |_| Fault::Silent(format!("no answer within {PATIENCE:?}"));
    match answer.map_err(late).and_then(|answer| answer) {
        Ok(answer) => answer,
        Err(Fault::Silent(reason)) => Err(Standing::Silent(reason)),
        Err(Fault::Unreadable(reason)) => Err(Standing::Unreadable(reason)),
    }
}

/// Takes these addresses for those to ask, and keeps what is known of the ones that stay.
fn renew(peers: &mut Vec<Peer>, addresses: Vec<SocketAddr>) {
    let mut before = std::mem::take(peers);
    let known = |address| {
        let at = before.iter().position(|peer| peer.address == address);
        at.map_or_else(|| Peer::new(address), |at| before.swap_remove(at))
    };
    *peers = addresses.into_iter().map(known).collect();
}

impl Look {
    /// The address of the one instance with this id.
    fn find(&self, id: &str) -> Option<SocketAddr> {
        let mut named = self.peers.iter().filter(|peer| peer.identity().is_some_and(|own| own.id == id));
        let one = named.next().filter(|_| named.next().is_none());
        one.map(|peer| peer.address)
    }

    /// All but this one, each once: a process may have several addresses.
    fn of(peers: &[Peer], own: &Identity) -> Self {
        let answers = |peer: &&Peer| peer.standing == Standing::Answers;
        let answering: HashSet<_> = peers.iter().filter(answers).filter_map(Peer::identity).collect();
        let (mut look, mut seen) = (Self::default(), HashSet::new());
        for peer in peers {
            match peer.identity() {
                // Its other address answers.
                Some(identity) if !answers(&peer) && answering.contains(identity) => {}
                Some(identity) if identity == own => look.own = look.own.or(Some(peer.address)),
                Some(identity) if !seen.insert(identity) => {}
                _ => look.peers.push(peer.clone()),
            }
        }
        look
    }
}

impl Peer {
    fn new(address: SocketAddr) -> Self {
        let standing = Standing::Silent("not asked yet".to_owned());
        Self { address, standing, since: SystemTime::now(), last: None }
    }

    /// As a URL has it.
    pub(super) fn authority(&self) -> String {
        client::authority(self.address)
    }

    fn identity(&self) -> Option<&Identity> {
        self.last.as_ref().map(|(_, reading)| &reading.identity)
    }

    fn note(&mut self, answer: Result<Reading, Standing>) {
        let now = SystemTime::now();
        let standing = match answer {
            Ok(reading) => {
                self.last = Some((now, Arc::new(reading)));
                Standing::Answers
            }
            Err(standing) => standing,
        };
        if standing.word() != self.standing.word() {
            self.since = now;
        }
        self.standing = standing;
    }
}

impl Standing {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Refuses(_) => "refuses",
            Self::Unreadable(_) => "unreadable",
            Self::Silent(_) => "silent",
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Answers => None,
            Self::Refuses(401) => Some("it does not accept the token; set `Peers::token`"),
            Self::Refuses(403) => Some("it shows nothing to other machines without a token of its own"),
            Self::Refuses(421) => Some("it does not accept its address as a host"),
            Self::Refuses(_) => Some("it does not answer with figures"),
            Self::Unreadable(reason) | Self::Silent(reason) => Some(reason),
        }
    }
}
