//! The HTTP layer: what it counts, when a request ends, and the id that goes with it.

mod access;
mod bodies;
mod counting;
mod endings;
mod logs;
mod recorded;
mod request_id;
mod socket;
mod traces;
mod transfers;
mod unmatched;
