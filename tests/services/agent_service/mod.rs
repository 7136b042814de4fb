//! The example service, started, asked, watched and stopped as a newcomer would.

mod answers;
mod databases;
mod logs;
mod metrics;
mod model;
mod probe;
mod recorded;
mod refusals;
mod starts;
mod stops;
mod traffic;
