//! The attributes of `monitor-runtime`: depend on that crate and use them from there.

// Tokens flow one way, and each step uses those before it only: `parse` reads the arguments and the item as written, `analysis`
// checks them and makes the model, `emit` turns it into tokens. `expand` is the three in a row. Where a rule is broken, it gives
// the item back as it was, with every error (`diagnostics`) beside it.

// A macro that panics says nothing of where and why.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable))]

mod analysis;
mod diagnostics;
mod emit;
mod expand;
#[cfg(test)]
mod expansions;
mod kind;
mod parse;

use proc_macro::TokenStream;

use kind::Kind;

/// Tracks an agent function: every call is counted by outcome, timed, shown in flight and bound to its log lines.
///
/// ```
/// use monitor_runtime::track_agent;
///
/// #[track_agent]                                    // agent_id = "plan"
/// async fn plan(goal: &str) -> Result<String, std::io::Error> {
///     Ok(goal.to_uppercase())
/// }
///
/// #[track_agent("reviewer", fields(length = draft.len()))]
/// fn review(draft: &str) -> bool {
///     !draft.is_empty()
/// }
///
/// struct Agent { name: String }
///
/// impl Agent {
///     #[track_agent(id = self.name)]                // evaluated once, at entry
///     async fn run(&self) {}
/// }
/// ```
///
/// # Arguments
///
/// | option | meaning |
/// | --- | --- |
/// | a literal first, or `id = expr` | the `agent_id`; any expression over the arguments that is `AsRef<str>`. Default: the function's name |
/// | `fields(a = expr, b = %expr, c = ?expr, d)` | bound to the span and to every log line inside; never a metric label |
/// | `level = "debug"` | the span's level: `trace`, `debug`, `info`, `warn`, `error`. Default: `info` |
/// | `error_if = path`, `ok_if = path` | `fn(&R) -> bool`, decides success or error in place of the return type |
/// | `log_errors = false`, `= "warn"` | whether and at which level an `Err` is logged. Default: at `error`, once, by the innermost tracked call |
/// | `objective(success = 99.5, latency = "2s@95")` | what is promised: 99.5 % of the calls succeed, 95 % of those within 2 s; not on queries |
/// | `stream` | the function returns a stream behind an alias or a trait of your own; streams that the signature shows need no option |
/// | `crate = path` | where `monitor_runtime` is, when it was renamed |
///
/// On an `impl` block it tracks every method that has a body, under `Type::method`; `#[track(skip)]` leaves a method out,
/// `#[track("id", …)]` sets a method's own options. What cannot be tracked does not compile: a `const fn`, a `gen fn`, the call of a
/// macro that may write methods.
///
/// # Outcome
///
/// A call ends exactly once: as `success`, as `error` (it returned an `Err`, or its type's `Classify`, `error_if` or `ok_if`
/// says so), as `panic` (its body unwound) or as `cancelled` (its future was dropped between first poll and end).
///
/// A function that returns a future (`impl Future`, a boxed one, an alias or a type macro of it) is a call from that future's first poll to
/// its end. One that returns a stream is a call until the stream ends: an item that is an `Err` makes it an `error`, dropping
/// it early a `cancelled`; the time to its first item is recorded as well. `error_if` and `ok_if` then judge each item.
///
/// # What is emitted
///
/// The function as it was, its body untouched inside one call into the runtime, which is where everything else happens:
///
/// ```
#[doc = include_str!("../expansions/value.rs")]
/// ```
///
/// becomes
///
/// ```
#[doc = include_str!("../expansions/value.emitted.rs")]
/// ```
///
/// Where a future is returned, the call begins with its first poll:
///
/// ```
#[doc = include_str!("../expansions/future.rs")]
/// ```
///
/// becomes
///
/// ```
#[doc = include_str!("../expansions/future.emitted.rs")]
/// ```
///
/// Where the return type may be an alias, or be written by `#[async_trait]`, it is asked what it stands for:
///
/// ```
#[doc = include_str!("../expansions/boxed.rs")]
/// ```
///
/// becomes
///
/// ```
#[doc = include_str!("../expansions/boxed.emitted.rs")]
/// ```
#[proc_macro_attribute]
pub fn track_agent(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand_attribute(Kind::Agent, arguments.into(), item.into()).into()
}

/// Tracks a skill (tool) function: as [`macro@track_agent`], with the label `skill_id` and the `skill_…` metrics.
///
/// ```
/// use monitor_runtime::track_skill;
///
/// #[track_skill("web_search", fields(query_len = query.len()))]
/// async fn search(query: &str) -> Result<Vec<String>, std::io::Error> {
///     Ok(vec![query.to_owned()])
/// }
/// ```
///
/// # What is emitted
///
/// The body of an `async fn` is a future inside its own; a return that is never reached tells it its type. Fields are evaluated
/// only when somebody listens to the span:
///
/// ```
#[doc = include_str!("../expansions/asynchronous.rs")]
/// ```
///
/// becomes
///
/// ```
#[doc = include_str!("../expansions/asynchronous.emitted.rs")]
/// ```
///
/// A stream that is returned is a call until its end, and each of its items is judged:
///
/// ```
#[doc = include_str!("../expansions/stream.rs")]
/// ```
///
/// becomes
///
/// ```
#[doc = include_str!("../expansions/stream.emitted.rs")]
/// ```
#[proc_macro_attribute]
pub fn track_skill(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand_attribute(Kind::Skill, arguments.into(), item.into()).into()
}

/// Tracks a database function: as [`macro@track_agent`], with the labels `query` and `operation` and the `db_…` metrics.
///
/// `operation` is `select`, `insert`, `update`, `delete` or any literal of yours. Left out, it is read from the first SQL
/// literal in the body, and is `other` where there is none.
///
/// ```
/// use monitor_runtime::track_query;
///
/// #[track_query("find_user")]                       // operation = "select"
/// fn find_user(id: i64) -> String {
///     format!("SELECT name FROM users WHERE id = {id}")
/// }
///
/// #[track_query(operation = "delete")]              // query = "forget"
/// fn forget() {}
/// ```
///
/// # What is emitted
///
/// Of an impl block each method that is not left out, and everything else as it was:
///
/// ```
#[doc = include_str!("../expansions/block.rs")]
/// ```
///
/// becomes
///
/// ```
#[doc = include_str!("../expansions/block.emitted.rs")]
/// ```
#[proc_macro_attribute]
pub fn track_query(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand_attribute(Kind::Query, arguments.into(), item.into()).into()
}
