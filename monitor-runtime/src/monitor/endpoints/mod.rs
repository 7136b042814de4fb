//! The endpoints of a monitor, for any server.

pub(super) mod answer;
pub(super) mod bearer;
#[cfg(feature = "http")]
pub(super) mod guesses;
#[cfg(feature = "http")]
mod held_scrapes;
#[cfg(feature = "http")]
pub(super) mod routes;
#[cfg(feature = "dashboard")]
pub(super) mod session;
mod state;

pub(super) use state::Endpoints;
