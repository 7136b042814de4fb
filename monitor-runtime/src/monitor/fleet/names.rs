//! The addresses of the instances, of which names are resolved again and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::MOST;
use crate::monitor::peers::Place;

/// How long the addresses of a name are taken for right.
const FRESH: Duration = Duration::from_secs(10);

/// How long a look-up is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The look-ups at once, since each takes a thread until the resolver gives up.
const AT_ONCE: usize = 2;

/// The places as given, and their addresses.
pub(super) struct Names {
    places: Vec<Place>,
    room: Arc<Semaphore>,
    found: Mutex<Found>,
    left_out: AtomicUsize,
}

#[derive(Default)]
struct Found {
    at: Option<Instant>,
    /// The addresses of each place. Those of a name stay while it does not resolve.
    of: Vec<Vec<SocketAddr>>,
    faults: Vec<String>,
}

impl Names {
    pub(super) fn new(places: Vec<Place>) -> Self {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        Self { places, room, found: Mutex::default(), left_out: AtomicUsize::new(0) }
    }

    /// The number of addresses, and of places, beyond those that are asked.
    pub(super) fn left_out(&self) -> usize {
        self.left_out.load(Ordering::Relaxed)
    }

    /// The addresses in the order of their places, each once, and a sentence for each name without one.
    pub(super) async fn addresses(&self) -> (Vec<SocketAddr>, Vec<String>) {
        let mut found = self.found.lock().await;
        if found.at.is_none_or(|at| at.elapsed() >= FRESH) {
            self.resolve(&mut found).await;
            found.at = Some(Instant::now());
        }
        let mut all: Vec<SocketAddr> = Vec::new();
        for address in found.of.iter().flatten() {
            if !all.contains(address) {
                all.push(*address);
            }
        }
        let left_out = all.len().saturating_sub(MOST) + self.places.len().saturating_sub(MOST);
        self.left_out.store(left_out, Ordering::Relaxed);
        all.truncate(MOST);
        (all, found.faults.clone())
    }

    async fn resolve(&self, found: &mut Found) {
        let places = || self.places.iter().take(MOST);
        found.of.resize(places().count(), Vec::new());
        found.faults.clear();
        let mut asked = JoinSet::new();
        for (at, place) in places().enumerate() {
            match place {
                Place::Address(address) => found.of[at] = vec![*address],
                Place::Host { name, port } => {
                    let looked_up = look_up(name.clone(), *port, Arc::clone(&self.room));
                    asked.spawn(async move { (at, looked_up.await) });
                }
            }
        }
        while let Some(answered) = asked.join_next().await {
            match answered {
                Ok((at, Ok(addresses))) => found.of[at] = addresses,
                Ok((at, Err(reason))) => {
                    found.faults.push(format!("`{}` does not resolve: {reason}", self.places[at]));
                }
                Err(_) => {}
            }
        }
        found.faults.sort();
    }
}

/// The addresses of a host, sorted.
async fn look_up(name: String, port: u16, room: Arc<Semaphore>) -> Result<Vec<SocketAddr>, String> {
    let looked_up = async {
        // The semaphore is never closed. A look-up that gets no place in time does not begin.
        let place = room.acquire_owned().await;
        // The task goes on after the deadline, since nothing stops a resolver, and keeps its place in the room.
        let look_up = async move {
            let _place = place;
            lookup_host((&*name, port)).await.map(Iterator::collect::<Vec<_>>)
        };
        tokio::spawn(look_up).await
    };
    match timeout(PATIENCE, looked_up).await {
        Ok(Ok(Ok(mut addresses))) if !addresses.is_empty() => {
            addresses.sort_unstable();
            addresses.dedup();
            Ok(addresses)
        }
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(_) => Err("it has no address".to_owned()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(places: Vec<Place>) -> (Vec<SocketAddr>, Vec<String>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let names = Names::new(places);
        let (addresses, faults) = runtime.block_on(names.addresses());
        (addresses, faults, names.left_out())
    }

    fn host(name: &str) -> Place {
        Place::Host { name: name.to_owned(), port: 7 }
    }

    #[test]
    fn a_name_stands_for_its_addresses_each_once() {
        let loopback: SocketAddr = "127.0.0.1:7".parse().unwrap();
        let (found, faults, _) = addresses(vec![host("localhost"), Place::Address(loopback)]);
        assert_eq!(found.iter().filter(|address| **address == loopback).count(), 1, "{found:?}");
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn a_name_without_an_address_is_told() {
        let (found, faults, _) = addresses(vec![host("nowhere.invalid")]);
        assert!(
            found.is_empty() && faults[0].starts_with("`nowhere.invalid:7` does not resolve: "),
            "{faults:?}"
        );
    }

    #[test]
    fn instances_beyond_the_most_are_counted() {
        let place = |at: u8| Place::Address(([127, 0, 0, at], 7).into());
        let (found, _, left_out) = addresses((1..=70).map(place).collect());
        assert_eq!((found.len(), left_out), (64, 6));
    }
}
