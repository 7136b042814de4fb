//! The guard of a model call, for clients that are written by hand.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use super::Verdict;
use super::fault::Shown;
use super::guard::{Call, settle_by};
#[cfg(feature = "logging")]
use super::model_usage::find_named;
#[cfg(feature = "logging")]
use super::place::Place;
use super::reply::{self, Report};
use super::settings::Settings;
use super::site::{Site, State, without_fields};
use crate::families::Outcome;
use crate::families::models;
use crate::usage::Usage;

/// All hand-written clients share one callsite. Its id, the model, is `unknown` if it is empty.
static SITE: Site = Site {
    settings: Settings::Model,
    id: "unknown",
    name: "call",
    module: "monitor_runtime::genai",
    file: file!(),
    line: line!(),
    state: State::NEW,
};

/// The settings of calls that other crates track, by their operation. The first is that of any other operation.
#[cfg(feature = "logging")]
static FOREIGN: [Settings; 4] = [
    Settings::foreign("chat"),
    Settings::foreign("generate_content"),
    Settings::foreign("text_completion"),
    Settings::foreign("embeddings"),
];

/// Begins a model call, which lasts until the returned guard is finished or dropped.
///
/// It is the way for clients without one function a call. Any other client is better tracked by `#[track_model]`, whose span
/// also encloses the code of the call. The span of the guard is exported with the usage, but code runs in it only by
/// [`OpenCall::in_scope`] or [`OpenCall::in_scope_async`]. An empty provider or model counts as `unknown`.
///
/// ```
/// use std::time::Duration;
///
/// use monitor_runtime::genai::{self, Usage};
///
/// fn complete(model: &str) -> Result<String, String> {
///     let mut call = genai::call("openai", model);
///     let reply = match send(model) {
///         Err(error) if error == "429" => {
///             call.retry(&error, Duration::ZERO);
///             send(model)
///         }
///         reply => reply,
///     };
///     match reply {
///         Ok(text) => {
///             call.usage(Usage::new(812, 96).cached(640));
///             call.finish("stop");
///             Ok(text)
///         }
///         Err(error) => {
///             call.fail(&error);
///             Err(error)
///         }
///     }
/// }
/// # fn send(_: &str) -> Result<String, String> { Ok("42".to_owned()) }
/// # assert_eq!(complete("gpt-5").as_deref(), Ok("42"));
/// ```
pub fn call(provider: &str, model: &str) -> OpenCall {
    let (call, requested) = SITE.enter_with_names(provider, model, without_fields);
    let mut call = call.of_model();
    // The thread leaves the call at once, since the guard may be sent to another one.
    call.resume();
    call.suspend();
    OpenCall {
        call,
        report: Report { requested, ..Report::default() },
        before: Usage::default(),
        is_streaming: false,
        was_panicking: std::thread::panicking(),
    }
}

/// A model call that a client tracks by hand; made by [`call`].
///
/// If it is dropped before its end, the call counts as `cancelled`, or as `panic` while the thread unwinds, with the usage that
/// it had.
#[derive(Debug)]
#[must_use = "a call that is dropped at once counts as cancelled"]
pub struct OpenCall {
    call: Call,
    /// Its usage is that of the present attempt.
    report: Report,
    /// The usage of the attempts before.
    before: Usage,
    is_streaming: bool,
    was_panicking: bool,
}

/// Calls that other crates track.
#[cfg(feature = "logging")]
impl OpenCall {
    /// Begins a call whose span was opened at `place` at the time `opened`. `was_panicking` is whether the thread unwound then.
    pub(super) fn begin_at(
        place: Place,
        opened: u64,
        operation: &str,
        [provider, model]: [&str; 2],
        was_panicking: bool,
    ) -> Self {
        let (series, requested) = find_named(provider, model);
        let settings = FOREIGN.iter().find(|known| known.operation == operation).unwrap_or(&FOREIGN[0]);
        let mut call = Call::prepared(settings, series, None);
        call.begin_at(place, opened);
        let report = Report { requested, ..Report::default() };
        Self { call, report, before: Usage::default(), is_streaming: false, was_panicking }
    }

    /// Records the time to the first chunk, as the other crate has measured it.
    pub(super) fn first_chunk_after(&mut self, after: Duration) {
        self.note_chunk(Some(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)));
    }

    /// Sets the whole report.
    pub(super) fn report(&mut self, report: Report) {
        let requested = self.report.requested.take();
        self.report = Report { requested, ..report };
    }

    /// Ends the call as a success.
    pub(super) fn succeed(mut self) {
        self.end(&Verdict { outcome: Outcome::Success, fault: None });
    }

    /// Ends the call as an error of this type, empty for an unknown one.
    pub(super) fn fail_as(mut self, error_type: &str) {
        self.call.resume();
        self.leave_report();
        self.call.fail_as(error_type);
    }

    /// Takes the call back, as if it had not begun.
    pub(super) fn withdraw(mut self) {
        self.call.withdraw();
    }
}

impl OpenCall {
    /// Records the time to the first chunk of a streamed reply. Further chunks change nothing.
    pub fn first_chunk(&mut self) {
        self.note_chunk(None);
    }

    /// Notes the first chunk, so many nanoseconds after the begin, or now.
    fn note_chunk(&mut self, after: Option<u64>) {
        if !std::mem::replace(&mut self.is_streaming, true) {
            let mut running = self.call.run();
            match after {
                Some(nanos) => running.first_item_after(nanos),
                None => running.first_item(),
            }
            running.observe(&Verdict { outcome: Outcome::Success, fault: None });
            running.suspend();
        }
    }

    /// Runs code as a part of the call: log lines carry its `model`, and the span that a framework opens inside is this call and
    /// no other one.
    ///
    /// A framework's span that is opened elsewhere while the guard lives is another call, since the guard may be held by code that
    /// does not make the call.
    ///
    /// ```
    /// use monitor_runtime::genai::{self, Usage};
    ///
    /// let mut call = genai::call("openai", "gpt-5");
    /// let (text, usage) = call.in_scope(|| ("42", Usage::new(812, 96)));
    /// call.usage(usage);
    /// call.finish("stop");
    /// # assert_eq!(text, "42");
    /// ```
    ///
    /// # Panics
    ///
    /// A panic of the code continues to the caller, and ends the call as `panic` when it drops the guard.
    pub fn in_scope<T>(&mut self, code: impl FnOnce() -> T) -> T {
        self.call.resume();
        let _inside = InScope(&mut self.call);
        code()
    }

    /// Polls a future as a part of the call, as [`in_scope`](Self::in_scope) runs code.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before its end, so is `future`, and the call goes on.
    pub async fn in_scope_async<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| self.in_scope(|| future.as_mut().poll(cx))).await
    }

    /// Sets the usage. Counts that are set again override the earlier ones, as the items of a stream do. After a
    /// [retry](Self::retry) it is the usage of the new attempt, and that of the attempts before is added to it.
    pub fn usage(&mut self, usage: Usage) {
        self.report.usage.update(&usage);
    }

    /// Sets the model that replied, which selects the price.
    pub fn model(&mut self, name: &str) {
        self.report.model = Some(name.into());
    }

    /// Sets the provider's id of the reply.
    pub fn response_id(&mut self, id: &str) {
        self.report.response_id = Some(id.into());
    }

    /// Notes that the model refused to answer, as [`ModelReply::is_refusal`](super::ModelReply::is_refusal) does. It does not
    /// change the outcome.
    pub fn refused(&mut self) {
        self.report.is_refusal = true;
    }

    /// Counts a further attempt in `model_retries_total`, and logs it at `debug` with its reason and the pause before it.
    ///
    /// The [usage](Self::usage) that was set before is that of the failed attempt, and stays a part of the call's.
    pub fn retry(&mut self, reason: &str, backoff: Duration) {
        self.end_attempt();
        let labels = self.call.labels();
        models::count_retry(labels);
        self.report.retries = self.report.retries.saturating_add(1);
        self.report.backoff = self.report.backoff.saturating_add(backoff);
        let [provider, model] = self.report.names(labels);
        tracing::debug!(
            target: "monitor_runtime::genai",
            provider,
            model,
            reason,
            backoff_seconds = backoff.as_secs_f64(),
            "model call is tried again"
        );
    }

    /// Ends the call as a success. The reason, such as `stop` or `length`, is what the provider calls it.
    pub fn finish(mut self, reason: &str) {
        self.report.finish_reason = Some(reason.into());
        self.end(&Verdict { outcome: Outcome::Success, fault: None });
    }

    /// Ends the call as an error, and logs it as a tracked function logs its `Err`.
    pub fn fail(mut self, error: &dyn Display) {
        self.end(&Verdict { outcome: Outcome::Error, fault: Some(Shown::Display(error).untyped()) });
    }

    fn end(&mut self, verdict: &Verdict<'_>) {
        self.call.resume();
        self.leave_report();
        settle_by(&mut self.call, verdict);
    }

    fn end_attempt(&mut self) {
        self.before.add_attempt(std::mem::take(&mut self.report.usage));
    }

    /// Leaves everything for the call, which ends next.
    fn leave_report(&mut self) {
        self.end_attempt();
        let usage = std::mem::take(&mut self.before);
        reply::report(Report { usage, ..std::mem::take(&mut self.report) });
    }
}

/// Leaves the body of a call when dropped.
struct InScope<'c>(&'c mut Call);

impl Drop for InScope<'_> {
    fn drop(&mut self) {
        self.0.suspend();
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        // If the thread was unwinding before, a destructor made this call, and its drop is no panic of its own.
        if !self.call.has_ended() && !self.was_panicking && std::thread::panicking() {
            self.end(&Verdict { outcome: Outcome::Panic, fault: None });
        } else if !self.call.has_ended() {
            // The call is dropped next, and ends as cancelled.
            self.leave_report();
        }
    }
}
