//! Settings that a process has once, such as its log: every test, or part of one, runs in a process of its own.

#[path = "../support/mod.rs"]
mod support;

mod budgets;
mod contents;
mod docs_memory;
mod errors_without_spans;
mod genai_spans;
mod log_accounting;
mod logging;
mod metrics_settings;
mod native_histograms;
mod other_threads;
mod overflow;
mod panics;
mod push;
mod refusals;
mod thread_ends;
