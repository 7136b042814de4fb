//! The ways out for numbers and traces, in a process that records exemplars.

#[path = "../support/mod.rs"]
mod support;

mod exposition;
mod otlp;
