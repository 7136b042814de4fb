//! The attributes of `monitor-runtime`: depend on that crate and use them from there.

// Tokens flow one way, and each step uses only those before it: `parse` reads the arguments and the item as written, `analysis`
// checks them and makes the model, `emit` turns the model into tokens. `expand` runs the three. If a rule is broken, it returns
// the item as written, followed by all errors (`diagnostics`).

// A panic in a macro shows the user neither the wrong token nor a way out.
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

/// Tracks an agent: each execution is counted by outcome, timed, shown in flight and bound to its log lines.
///
/// An execution is one call of the function. It counts in `agent_executions_total`, `agent_execution_duration_seconds` and
/// `active_agents`, under the label `agent_id`. The function's signature, result, errors and panics stay as they are.
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
///     #[track_agent(id = self.name)]                // evaluated once an execution, at its start
///     async fn run(&self) {}
/// }
/// ```
///
/// # Arguments
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | a literal first, or `id = expr` | the `agent_id`: a literal of 1 to 256 bytes, or any expression over the parameters that is `AsRef<str>` | the function's name |
/// | `prefix = "users"` | on an impl block: put before the ids of its methods, `users::Type::method` | no prefix |
/// | `fields(a = expr, b = %expr, c = ?expr, d)` | recorded on the span and on every log line inside, by value, `Display` or `Debug`; never a metric label | no field |
/// | `level = "debug"` | the span's level: `trace`, `debug`, `info`, `warn` or `error` | `info` |
/// | `error_if = path`, `ok_if = path` | a `fn(&R) -> bool` that decides between success and error; one of the two | the return type decides |
/// | `log_errors = false`, `= "warn"` | whether an `Err` is logged, and at which level | logged once, at `error`, by the innermost tracked call |
/// | `objective(success = 99.5, latency = "2s@95")` | the target: 99.5 % of the executions succeed, and 95 % of the successful ones take 2 s at most; on agents and skills | no objective |
/// | `budget(cost = "0.50", tokens = 200_000, model_calls = 30, skill_calls = 100, duration = "5m")` | what an execution may use, the calls inside it included; one limit or more. Passing one is logged and counted; `run::check_budget` stops. Needs the feature `runs` | no budget |
/// | `record(query, %text = 200, result)` | the parameters, and the returned value, whose `Debug` or `%` `Display` text is kept with the run, cut after 1,024 or so many bytes. Without a recorder of runs nothing is evaluated | nothing is kept |
/// | `stream` | the function returns a stream, which an alias or a trait of your own hides | streams in the signature are found |
/// | `crate = path` | the path of `monitor_runtime`, if it was renamed | `::monitor_runtime` |
///
/// An `id` expression is evaluated once an execution. If its text is empty, the function's name takes its
/// place; texts of more than 256 bytes share the id `__overflow__`.
/// The expressions of `fields` are evaluated once an execution, and only if the span is enabled.
///
/// # On an impl block
///
/// The attribute tracks every method that has a body, each under `Type::method`. The block's options apply to each method that
/// does not set them itself. `#[track("id", …)]` sets a method's own id and options, and `#[track(skip)]` leaves a method out.
///
/// A `const fn` and a constructor (a `new`, `with_…`, `from_…` or the like that returns `Self`, without `self`) are left out.
/// `#[track("id", …)]` on a constructor tracks it. A `const fn` with that attribute, a `gen fn` and the call of a macro cannot be
/// tracked; they do not compile unless they are left out.
///
/// # Start and end
///
/// | function | the execution starts | the execution ends |
/// | --- | --- | --- |
/// | `fn` | when it is called | when it returns |
/// | `async fn` | at the first poll | when its future is ready |
/// | `fn` that returns a future: `impl Future`, a boxed one, an alias or a type macro of one | at the future's first poll | when the future is ready |
/// | `fn` that returns a stream | at the stream's first poll | when the stream ends |
/// | `async fn` that returns a stream, or `fn` that returns one in a `Result` | at the first poll, or when it is called | when the stream ends, or at once by an `Err` |
///
/// The time between polls counts. For a stream, the time to its first item is recorded as well, in
/// `agent_time_to_first_item_seconds`.
///
/// # Outcome
///
/// An execution ends exactly once, with one of four outcomes:
///
/// * `success`: it returned, and nothing below makes it an error.
/// * `error`: it returned an `Err`, or `error_if`, `ok_if` or the type's `Classify` decided so. Of a stream, each item is judged, and
///   one that is an error makes the execution one.
/// * `panic`: its body unwound. The panic goes on to the caller.
/// * `cancelled`: its future or stream was dropped between the first poll and the end. One dropped before its first poll counts as
///   no execution.
///
/// # Emitted code
///
/// The function as written, with its body untouched inside one call into the runtime:
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
/// If the function returns a future, the execution starts with its first poll:
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
/// If the return type may be an alias, or comes from `#[async_trait]`, the compiler chooses by the type behind it:
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

/// Tracks a skill, also called a tool: as [`macro@track_agent`], with the label `skill_id` and the `skill_…` metrics.
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
/// A skill has no `budget`, and this option of its own:
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `repeats(query, limit)` | expressions over the parameters whose values are compared between the calls of a run: the third identical call after two successes is a loop, which is logged and counted in `skill_repeats_total`. The values are `Hash`; only a hash of them is kept | nothing is compared |
///
/// # Emitted code
///
/// The body of an `async fn` becomes a future inside the function's own. A `return` that is never reached tells it its type.
/// Fields are evaluated only if the span is enabled:
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
/// A stream is tracked until its end, and each of its items is judged:
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

/// Tracks a database query: as [`macro@track_agent`], with the labels `query` and `operation` and the `db_…` metrics.
///
/// `operation = "…"` is `select`, `insert`, `update`, `delete` or any other literal that is not empty. The default is read from the
/// first SQL literal in the body, and is `other` if there is none. A query has neither `objective` nor `budget`.
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
/// # Emitted code
///
/// On an impl block, each method is replaced unless it is left out, and everything else stays as written:
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

/// Tracks a call of a language model: as [`macro@track_agent`], with the labels `provider` and `model` and the `model_…`
/// metrics, and with the tokens and the cost that the reply reports.
///
/// ```
/// use monitor_runtime::genai::{ModelReply, Usage};
/// use monitor_runtime::track_model;
///
/// struct Reply { text: String, prompt_tokens: u64, completion_tokens: u64 }
///
/// impl ModelReply for Reply {
///     fn usage(&self) -> Option<Usage> {
///         Some(Usage::new(self.prompt_tokens, self.completion_tokens))
///     }
/// }
///
/// struct Client { model: String }
///
/// impl Client {
///     #[track_model(provider = "openai", model = self.model)]
///     async fn complete(&self, question: &str) -> Result<Reply, std::io::Error> {
///         Ok(Reply { text: question.to_uppercase(), prompt_tokens: 812, completion_tokens: 96 })
///     }
/// }
///
/// fn by_length(text: &String) -> Option<Usage> {
///     Some(Usage::default().output(text.split_whitespace().count() as u64))
/// }
///
/// #[track_model("composer-1", provider = "local", usage = by_length)]
/// fn compose(question: &str) -> String {
///     question.to_lowercase()
/// }
/// ```
///
/// # Arguments
///
/// Those of [`macro@track_agent`], except for `id`, `prefix`, `objective` and `budget`, that of [`macro@track_skill`], and these:
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | a literal first, or `model = expr` | the label `model`, the model that is requested: a literal of 1 to 256 bytes, or any expression over the parameters that is `AsRef<str>` | required |
/// | `provider = expr` | the label `provider`, such as `openai`, `anthropic`, `aws.bedrock`, `gcp.gemini`: a literal, or an expression as for `model` | required |
/// | `operation = "embeddings"` | the operation of the exported span: `embeddings`, `generate_content`, `text_completion` or any other literal that is not empty | `chat` |
/// | `usage = path` | a `fn(&T) -> Option<Usage>` that reads the usage from the value, from its `Ok` or its `Some`, or from each item of a stream likewise | the type's `ModelReply`; without it, the usage is unknown |
///
/// An expression whose text is empty gives the label `unknown`.
/// A literal provider that is nearly a name of the conventions of OpenTelemetry, such as `OpenAI`, is a warning of the lint
/// `deprecated`.
/// On an impl block, all of these options apply to every method that does not set them itself.
///
/// # Usage
///
/// Tokens count once, when the call ends, for the innermost tracked agent around the call's start. The label `agent_id` is
/// empty outside of any agent. Of a stream, the counts of later items override those of earlier ones. If the stream is dropped
/// or fails, its last counts before that are the usage.
///
/// An `Err` whose type implements `ModelReply` reports its usage likewise, also beside `usage = path`; the call is still an error.
///
/// A call without usage counts in `model_usage_unknown_total`, with the reason `cancelled`, `failed`, `no_usage` or
/// `stream_cut`.
#[proc_macro_attribute]
pub fn track_model(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand_attribute(Kind::Model, arguments.into(), item.into()).into()
}
