//! The report of a model's reply: usage, model and the reason of its end.
//!
//! The judge of a model call reads the reply after its verdict and leaves the report for the call, which takes it at its end,
//! or for its stream, which takes it with each item.
//!
//! Whether a result has a reply in it is chosen by method resolution, as `classify` does it: the method of the first rank of
//! [`ReplyIn`] that fits the types.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::extras::ModelNames;
use crate::usage::Usage;

/// Lets the reply of a model, or one item of its stream, report its usage to the call that `#[track_model]` tracks.
///
/// It is read from the value that the function returns, from its `Ok` or its `Some`, and from each item of a stream likewise.
/// It is also read from an `Err` whose type implements it: some providers bill a call that their filter or a limit has cut, and
/// tell its usage with the error. The call is still an error.
/// Of several items the later ones override the earlier ones, count by count, so an item sets only the counts that it reports: a 0 in
/// place of an absent count would erase the earlier one. An attribute's `usage` takes precedence, but
/// reads no error.
///
/// ```
/// use monitor_runtime::genai::{ModelReply, Usage};
///
/// struct Reply { model: String, prompt_tokens: u64, completion_tokens: u64 }
///
/// impl ModelReply for Reply {
///     fn usage(&self) -> Option<Usage> {
///         Some(Usage::new(self.prompt_tokens, self.completion_tokens))
///     }
///
///     fn model(&self) -> Option<&str> {
///         Some(&self.model)
///     }
/// }
/// ```
///
/// # Panics
///
/// If a method panics, the call counts as `panic`, and the panic continues to the caller.
pub trait ModelReply {
    /// Returns the tokens that the call used so far (default: unknown).
    fn usage(&self) -> Option<Usage> {
        None
    }

    /// Returns the model that replied, which may be a version of the requested one (default: unknown). It selects the price.
    fn model(&self) -> Option<&str> {
        None
    }

    /// Returns the provider's id of the reply (default: unknown). It is an attribute of the exported span.
    fn response_id(&self) -> Option<&str> {
        None
    }

    /// Returns the reason why the model stopped, such as `stop` or `length` (default: unknown). It is an attribute of the
    /// exported span.
    fn finish_reason(&self) -> Option<&str> {
        None
    }

    /// Returns whether the model refused to answer (default: `false`). It is kept with the call of a recorded run.
    ///
    /// The outcome of the call stays as it is; [`Classify`](crate::Classify) or an attribute's `error_if` changes it. A stream
    /// is a refusal if any of its items is.
    fn is_refusal(&self) -> bool {
        false
    }
}

/// Implements the trait for pointers to a reply.
macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<T: ModelReply + ?Sized> ModelReply for $pointer {
            fn usage(&self) -> Option<Usage> {
                (**self).usage()
            }

            fn model(&self) -> Option<&str> {
                (**self).model()
            }

            fn response_id(&self) -> Option<&str> {
                (**self).response_id()
            }

            fn finish_reason(&self) -> Option<&str> {
                (**self).finish_reason()
            }

            fn is_refusal(&self) -> bool {
                (**self).is_refusal()
            }
        }
    )*};
}

pointers!(&T, Box<T>, Arc<T>);

/// The report of a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub(crate) usage: Usage,
    /// The provider and the requested model, if the labels have no room for them.
    pub(crate) requested: Option<ModelNames>,
    pub(crate) model: Option<Box<str>>,
    pub(crate) response_id: Option<Box<str>>,
    pub(crate) finish_reason: Option<Box<str>>,
    pub(crate) is_refusal: bool,
    /// Further attempts inside the call, and the sum of the pauses before them.
    pub(crate) retries: u32,
    pub(crate) backoff: Duration,
}

impl Report {
    fn of(reply: &impl ModelReply) -> Self {
        Self {
            usage: reply.usage().unwrap_or_default(),
            model: reply.model().map(Box::from),
            response_id: reply.response_id().map(Box::from),
            finish_reason: reply.finish_reason().map(Box::from),
            is_refusal: reply.is_refusal(),
            ..Self::default()
        }
    }

    /// The provider and the requested model of a call with these labels.
    pub(crate) fn names<'r>(&'r self, labels: [&'r str; 2]) -> [&'r str; 2] {
        self.requested.as_ref().map_or(labels, |[provider, model]| [provider, model])
    }

    /// Adds the report of another part of the same call.
    pub(super) fn add(&mut self, part: Self) {
        let Self { usage, requested: _, model, response_id, finish_reason, is_refusal, retries, backoff } =
            part;
        self.usage.add(&usage);
        self.model = model.or(self.model.take());
        self.response_id = response_id.or(self.response_id.take());
        self.finish_reason = finish_reason.or(self.finish_reason.take());
        self.is_refusal |= is_refusal;
        self.retries = self.retries.saturating_add(retries);
        self.backoff = self.backoff.saturating_add(backoff);
    }

    /// Fills in what only the parts of the call report. Their usage is used if the call itself has none at all, since counts
    /// from two sources may overlap.
    pub(super) fn completed(mut self, parts: Self) -> Self {
        let Self {
            usage,
            requested: _,
            model,
            response_id,
            finish_reason,
            is_refusal,
            retries: _,
            backoff: _,
        } = parts;
        self.usage = self.usage.or(usage);
        self.model = self.model.or(model);
        self.response_id = self.response_id.or(response_id);
        self.finish_reason = self.finish_reason.or(finish_reason);
        self.is_refusal |= is_refusal;
        self
    }

    /// Overrides what `later` knows better.
    pub(super) fn update(&mut self, later: Self) {
        let Self { usage, requested: _, model, response_id, finish_reason, is_refusal, retries, backoff } =
            later;
        self.usage.update(&usage);
        self.model = model.or(self.model.take());
        self.response_id = response_id.or(self.response_id.take());
        self.finish_reason = finish_reason.or(self.finish_reason.take());
        self.is_refusal |= is_refusal;
        self.retries = self.retries.saturating_add(retries);
        self.backoff = self.backoff.saturating_add(backoff);
    }
}

thread_local! {
    /// Passes the report from the judge, a plain function, to the call or the stream that it judges.
    static REPORTED: Cell<Option<Box<Report>>> = const { Cell::new(None) };
}

/// Leaves a report for the call that is judged.
pub fn report(report: Report) {
    if report != Report::default() {
        // Fails while the thread ends; the usage of such a call is unknown.
        let _ = REPORTED.try_with(|reported| reported.set(Some(Box::new(report))));
    }
}

/// Takes the report that was left.
pub(super) fn take_report() -> Option<Box<Report>> {
    REPORTED.try_with(Cell::take).ok().flatten()
}

/// The reports of a stream's items, kept by the stream and left for its call right before that ends.
///
/// Between two items it cannot stay where the judge leaves it, since other model calls run meanwhile.
#[derive(Debug, Default)]
pub(super) struct Reports(Option<Box<Report>>);

impl Reports {
    /// Takes what the judge has read from an item.
    #[inline]
    pub(super) fn keep(&mut self) {
        if let Some(later) = take_report() {
            self.0.get_or_insert_default().update(*later);
        }
    }

    /// Leaves everything for the call, which ends next.
    #[inline]
    pub(super) fn leave(&mut self) {
        if let Some(report) = self.0.take() {
            let _ = REPORTED.try_with(|reported| reported.set(Some(report)));
        }
    }

    /// Leaves everything for the call if the thread unwinds while the guard lives. The guard of the call has to be older.
    #[inline]
    pub(super) fn leave_on_panic(&mut self) -> LeaveOnPanic<'_> {
        let was_panicking = self.0.is_some() && std::thread::panicking();
        LeaveOnPanic { reports: self, was_panicking }
    }
}

/// The guard of [`Reports::leave_on_panic`].
pub(super) struct LeaveOnPanic<'r> {
    reports: &'r mut Reports,
    /// Whether a destructor of an unwinding thread polls the stream, which is no panic of the stream.
    was_panicking: bool,
}

impl Drop for LeaveOnPanic<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.reports.0.is_some() && !self.was_panicking && std::thread::panicking() {
            self.reports.leave();
        }
    }
}

/// A result of which every part is a reply.
pub trait HasReply {
    /// Returns the report of the reply, which is empty without one.
    fn read(&self) -> Report;
}

impl<R: ModelReply> HasReply for R {
    fn read(&self) -> Report {
        Report::of(self)
    }
}

// These do not overlap with the implementation above: only this crate could implement `ModelReply` for the two types.
impl<T: ModelReply, E: ModelReply> HasReply for Result<T, E> {
    fn read(&self) -> Report {
        self.as_ref().map_or_else(Report::of, Report::of)
    }
}

impl<T: ModelReply> HasReply for Option<T> {
    fn read(&self) -> Report {
        self.as_ref().map(Report::of).unwrap_or_default()
    }
}

/// The search for a reply in an `R`, at a rank. The compiler takes the first rank whose bounds hold.
#[derive(Debug)]
pub struct ReplyIn<R, const RANK: usize>(PhantomData<fn() -> R>);

/// Begins the search: `reply(&result).monitor_report(&result)`.
pub fn reply<R>(_: &R) -> ReplyIn<R, 0> {
    ReplyIn(PhantomData)
}

/// Begins the search for a reply in an `Err` alone.
pub fn reply_of_error<R>(_: &R) -> ReplyIn<R, 2> {
    ReplyIn(PhantomData)
}

/// Implements the step to the next rank.
macro_rules! next {
    ($rank:literal) => {
        impl<R> Deref for ReplyIn<R, $rank> {
            type Target = ReplyIn<R, { $rank + 1 }>;

            fn deref(&self) -> &Self::Target {
                &ReplyIn(PhantomData)
            }
        }
    };
}

// Whatever the result is, it is a reply.
impl<R: HasReply> ReplyIn<R, 0> {
    /// Returns the report of the reply.
    pub fn monitor_report(self, result: &R) -> Report {
        result.read()
    }
}

next!(0);

// An `Ok` is one.
impl<T: ModelReply, E> ReplyIn<Result<T, E>, 1> {
    /// Returns the report of the reply, which is empty for an `Err`.
    pub fn monitor_report(&self, result: &Result<T, E>) -> Report {
        result.as_ref().map(Report::of).unwrap_or_default()
    }
}

next!(1);

// An `Err` is one.
impl<T, E: ModelReply> ReplyIn<Result<T, E>, 2> {
    /// Returns the report of the error, which is empty for an `Ok`.
    pub fn monitor_report(&self, result: &Result<T, E>) -> Report {
        result.as_ref().err().map(Report::of).unwrap_or_default()
    }
}

next!(2);

// There is none.
impl<R> ReplyIn<R, 3> {
    /// Returns an empty report.
    pub fn monitor_report(&self, _: &R) -> Report {
        Report::default()
    }
}

/// The search for the value that `usage = path` reads: what is in a `Result` or an `Option`.
#[derive(Debug)]
pub struct ContentOf<R>(PhantomData<fn() -> R>);

/// The end of the search: the value itself.
#[derive(Debug)]
pub struct WholeValue<R>(PhantomData<fn() -> R>);

/// Begins the search: `content(&result).monitor_content(&result)`.
pub fn content<R>(_: &R) -> ContentOf<R> {
    ContentOf(PhantomData)
}

impl<T, E> ContentOf<Result<T, E>> {
    /// Returns the value of an `Ok`.
    pub fn monitor_content(self, result: &Result<T, E>) -> Option<&T> {
        result.as_ref().ok()
    }
}

impl<T> ContentOf<Option<T>> {
    /// Returns the value of a `Some`.
    #[allow(clippy::ref_option, reason = "emitted code has the whole result by reference")]
    pub fn monitor_content(self, result: &Option<T>) -> Option<&T> {
        result.as_ref()
    }
}

impl<R> Deref for ContentOf<R> {
    type Target = WholeValue<R>;

    fn deref(&self) -> &WholeValue<R> {
        &WholeValue(PhantomData)
    }
}

impl<R> WholeValue<R> {
    /// Returns the value.
    pub fn monitor_content<'r>(&self, result: &'r R) -> Option<&'r R> {
        Some(result)
    }
}

/// Returns the report by an attribute's `usage`.
pub fn usage_by<T>(value: Option<&T>, usage: impl FnOnce(&T) -> Option<Usage>) -> Report {
    Report { usage: value.and_then(usage).unwrap_or_default(), ..Report::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Reply(u64);

    impl ModelReply for Reply {
        fn usage(&self) -> Option<Usage> {
            Some(Usage::new(self.0, 0))
        }
    }

    macro_rules! input {
        ($result:expr) => {
            reply(&$result).monitor_report(&$result).usage.input_tokens()
        };
    }

    #[test]
    fn a_reply_is_found_in_results_options_and_pointers() {
        assert_eq!(input!(Reply(1)), Some(1));
        assert_eq!(input!(Ok::<_, u8>(Reply(2))), Some(2));
        assert_eq!(input!(Some(Reply(3))), Some(3));
        assert_eq!(input!(Ok::<_, u8>(Box::new(Reply(4)))), Some(4));
        assert_eq!(input!(Arc::new(Reply(5))), Some(5));
        assert_eq!(input!(Err::<Reply, _>("refused")), None);
        assert_eq!(input!(None::<Reply>), None);
    }

    #[test]
    fn a_reply_is_found_in_errors() {
        assert_eq!(input!(Err::<Reply, _>(Reply(1))), Some(1));
        assert_eq!(input!(Ok::<_, Reply>(Reply(2))), Some(2));
        assert_eq!(input!(Err::<u8, _>(Box::new(Reply(3)))), Some(3));
        assert_eq!(input!(Ok::<u8, Reply>(4)), None);
    }

    #[test]
    fn a_search_among_errors_passes_over_the_value() {
        macro_rules! input_of_error {
            ($result:expr) => {
                reply_of_error(&$result).monitor_report(&$result).usage.input_tokens()
            };
        }
        assert_eq!(input_of_error!(Err::<u8, _>(Reply(1))), Some(1));
        assert_eq!(input_of_error!(Ok::<_, Reply>(Reply(2))), None);
        assert_eq!(input_of_error!(Ok::<_, u8>(Reply(3))), None);
        assert_eq!(input_of_error!(Reply(4)), None);
    }

    #[test]
    fn other_types_report_nothing() {
        assert_eq!(input!("text"), None);
        assert_eq!(input!(Ok::<u8, u8>(1)), None);
        assert_eq!(input!(()), None);
    }

    #[test]
    fn a_path_reads_the_content_of_a_result() {
        #[allow(clippy::ptr_arg, reason = "the type of the value")]
        fn length(text: &String) -> Option<Usage> {
            (!text.is_empty()).then(|| Usage::new(text.len() as u64, 0))
        }
        macro_rules! input_by_path {
            ($result:expr) => {
                usage_by(content(&$result).monitor_content(&$result), length).usage.input_tokens()
            };
        }
        assert_eq!(input_by_path!("four".to_owned()), Some(4));
        assert_eq!(input_by_path!(Ok::<_, u8>("three".to_owned())), Some(5));
        assert_eq!(input_by_path!(Some("no".to_owned())), Some(2));
        assert_eq!(input_by_path!(Err::<String, _>(1)), None);
    }

    #[test]
    fn later_reports_override_what_they_know() {
        let mut whole = Report { model: Some("gpt-5".into()), ..Report::default() };
        whole.update(Report {
            usage: Usage::new(1, 2),
            finish_reason: Some("stop".into()),
            ..Report::default()
        });
        assert_eq!(whole.model.as_deref(), Some("gpt-5"));
        assert_eq!(whole.finish_reason.as_deref(), Some("stop"));
        assert_eq!(whole.usage, Usage::new(1, 2));
    }
}
