//! Tests that need no setting of their process. They share its metrics.
//!
//! An id that one file counts belongs to no other, unless both record (`monitor_runtime::testing::Recording`).

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/model_agents.rs"]
mod model_agents;

mod agent;
mod blocks;
mod context;
mod error_types;
mod errors;
mod exits;
mod exposition_reader;
mod function_shapes;
mod genai_spans;
mod health;
mod http_layer;
mod hygiene;
mod lint_twins;
mod lints;
mod log_hostile;
mod log_layouts;
mod log_lines;
mod log_values;
mod models;
mod objective;
mod probe;
mod query;
mod registry;
mod settle_paths;
mod skill;
mod streams;
mod totals;

/// Nothing follows the calls of this process.
fn observe_calls() {}
