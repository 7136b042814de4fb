//! The example service, and the pages, rules and set-ups below `docs/`, with the programs that read them.

#[path = "../support/mod.rs"]
mod support;

mod agent_service;
mod docs;
mod log_shipping;
mod otlp_collector;
mod promtool;
mod rules;
