//! Crates with any names for their own items, and with other attributes beside ours.

#![deny(warnings)]

use std::fmt::Debug;

use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{track_agent, track_skill};

/// Asserts that one call of each agent succeeded since the recording began, and that there was no other.
#[track_caller]
fn assert_succeeded(recording: &Recording, agents: &[&str]) {
    for agent in agents {
        assert_eq!(recording.value("agent_executions_total", &[("agent_id", agent)]), 1.0, "{agent}");
        let labels = [("agent_id", *agent), ("status", "success")];
        assert_eq!(recording.value("agent_executions_total", &labels), 1.0, "{agent}");
    }
}

/// One function of each shape; nothing in them needs a prelude, or a name that could mean something else.
macro_rules! every_shape {
    ($($prefix:literal)?) => {
        pub(crate) struct Tool;

        #[::monitor_runtime::track_agent(id = ::core::concat!($($prefix,)? "plain"), fields(number, a = %number, b = ?number))]
        pub(crate) fn plain(number: ::core::primitive::u8) -> ::core::result::Result<::core::primitive::u8, ()> {
            ::core::result::Result::Ok(number)
        }

        #[::monitor_runtime::track_agent(id = ::core::concat!($($prefix,)? "asynchronous"), level = "debug", log_errors = "warn")]
        pub(crate) async fn asynchronous(mut text: &::core::primitive::str) -> &::core::primitive::str {
            text = text.trim();
            text
        }

        #[::monitor_runtime::track_agent(id = ::core::concat!($($prefix,)? "judged"), error_if = |number: &::core::primitive::u8| *number == 2)]
        pub(crate) fn judged() -> ::core::primitive::u8 {
            1
        }

        #[::monitor_runtime::track_agent(id = ::core::concat!($($prefix,)? "future"))]
        pub(crate) fn future() -> impl ::core::future::Future<Output = ::core::primitive::u8> {
            ::core::future::ready(1)
        }

        #[::monitor_runtime::track_agent(id = ::core::concat!($($prefix,)? "boxed"))]
        pub(crate) fn boxed()
        -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = ::core::primitive::u8>>> {
            ::std::boxed::Box::pin(::core::future::ready(1))
        }

        #[::monitor_runtime::track_agent(id = ::core::concat!($($prefix,)? "stream"))]
        pub(crate) fn stream() -> impl ::futures_util::Stream<Item = ::core::primitive::u8> {
            ::futures_util::stream::iter([1])
        }

        #[::monitor_runtime::track_agent(id = ::core::concat!($($prefix,)? "opened"))]
        pub(crate) async fn opened()
        -> ::core::result::Result<impl ::futures_util::Stream<Item = ::core::primitive::u8>, ()> {
            ::core::future::ready(()).await;
            ::core::result::Result::Ok(::futures_util::stream::iter([1]))
        }

        #[::monitor_runtime::track_agent(id = ::core::concat!($($prefix,)? "aliased"), stream)]
        pub(crate) fn aliased() -> ::futures_util::stream::BoxStream<'static, ::core::primitive::u8> {
            ::std::boxed::Box::pin(::futures_util::stream::iter([1]))
        }

        #[track_caller]
        #[::monitor_runtime::track_agent(id = ::core::concat!($($prefix,)? "located"))]
        pub(crate) fn located() -> ::core::result::Result<::core::primitive::u8, ()> {
            ::core::result::Result::Ok(1)
        }

        #[::monitor_runtime::track_agent]
        impl Tool {
            #[track(id = ::core::concat!($($prefix,)? "method"))]
            pub(crate) async fn method(&mut self, _text: &::core::primitive::str) -> ::core::primitive::u8 {
                ::core::future::ready(1).await
            }
        }
    };
}

mod without_prelude {
    #![no_implicit_prelude]

    every_shape!("bare_");
}

/// A module in which no name of the standard library means what it says.
#[allow(dead_code, non_camel_case_types, unused_macros, reason = "the names need only be there")]
mod redefined {
    mod alloc {}
    mod core {}
    mod futures_core {}
    mod monitor_runtime {}
    mod prelude {}
    mod private {}
    mod std {}
    mod tracing {}

    macro_rules! types {
        ($($name:ident)*) => { $(struct $name;)* };
    }

    types!(Box Call Entry Err Instant Kind Level None Ok Option Outcome Pin Probe Result Returned Site Some Span String Vec Verdict);
    types!(bool char str u64 u8 usize);

    macro_rules! traits {
        ($($name:ident)*) => { $(trait $name {})* };
    }

    traits!(AsRef Clone Copy Debug Drop Fn FnMut FnOnce From Future Into IntoFuture Iterator Send Sized Stream Sync Value);

    const SITE: () = ();

    fn begin() {}
    fn drop() {}
    fn guard() {}
    fn track() {}

    macro_rules! poisoned {
        ($($name:ident)*) => {
            $(
                macro_rules! $name {
                    () => {
                        compile_error!("the user's macro was called")
                    };
                }
            )*
        };
    }

    poisoned!(assert column file format format_args line matches module_path panic site stringify unreachable vec verdict);

    every_shape!("redefined_");
}

/// Extension traits that give every type methods of every name that emitted code might call.
mod extended {
    trait Extends {
        fn outcome(&self) {}
        fn fault(&self) {}
        fn track(&self) {}
        fn enter(&self) {}
        fn enter_as(&self) {}
        fn id(&self) {}
        fn span(&self) {}
        fn end(&self) {}
    }

    impl<T: ?Sized> Extends for T {}

    every_shape!("extended_");

    #[test]
    fn the_methods_are_there() {
        let (): () = [().outcome(), ().fault(), ().track(), ().enter()][0];
        let (): () = [().enter_as(), ().id(), ().span(), ().end()][0];
    }
}

macro_rules! call_every_shape {
    ($module:ident, $prefix:literal) => {{
        use futures_util::StreamExt as _;

        let recording = Recording::start();
        $module::plain(1).unwrap();
        assert_eq!($module::asynchronous(" text ").await, "text");
        let numbers = $module::judged() + $module::future().await + $module::boxed().await;
        assert_eq!(numbers + $module::located().unwrap() + $module::Tool.method("").await, 5);
        let items = $module::stream().count().await + $module::aliased().count().await;
        assert_eq!(items + $module::opened().await.unwrap().count().await, 3);
        for shape in [
            "plain",
            "asynchronous",
            "judged",
            "future",
            "boxed",
            "stream",
            "opened",
            "aliased",
            "located",
            "method",
        ] {
            assert_succeeded(&recording, &[&format!("{}{shape}", $prefix)]);
        }
    }};
}

#[tokio::test]
async fn no_prelude_is_needed() {
    call_every_shape!(without_prelude, "bare_");
}

#[tokio::test]
async fn names_of_the_standard_library_may_mean_something_else() {
    call_every_shape!(redefined, "redefined_");
}

#[tokio::test]
async fn methods_that_every_type_has_are_not_called() {
    call_every_shape!(extended, "extended_");
}

/// Parameters by names that emitted code, or that of other attributes, has for its own.
mod parameters {
    use super::*;

    macro_rules! named {
        ($($name:ident)*) => {
            #[track_agent(fields($($name),*))]
            #[allow(clippy::too_many_arguments, reason = "the names are what is tested")]
            pub(super) fn named($($name: u64),*) -> Result<u64, String> {
                Ok([$($name),*].into_iter().sum())
            }

            #[track_agent(fields($($name),*))]
            #[allow(clippy::too_many_arguments, reason = "the names are what is tested")]
            pub(super) async fn named_async($($name: u64),*) -> Result<u64, String> {
                std::future::ready(()).await;
                Ok([$($name),*].into_iter().sum())
            }

            #[track_caller]
            #[track_agent(fields($($name),*))]
            #[allow(clippy::too_many_arguments, reason = "the names are what is tested")]
            pub(super) fn named_in_place($($name: u64),*) -> Result<u64, String> {
                Ok([$($name),*].into_iter().sum())
            }

            #[track_agent(fields($($name),*))]
            #[allow(clippy::too_many_arguments, reason = "the names are what is tested")]
            pub(super) fn named_under_a_guard($($name: u64),*) -> impl Iterator<Item = u64> {
                [$($name),*].into_iter()
            }

            pub(super) const SUM: u64 = 0 $(+ { let $name = 1; $name })*;

            macro_rules! with_all {
                ($function:path) => { $function($({ let $name = 1; $name }),*) };
            }

            pub(super) use with_all;
        };
    }

    named!(span result caller guard this self_ entry body call site begun opening outcome fault judge args f r e);
}

#[tokio::test]
async fn parameters_may_have_any_name() {
    let recording = Recording::start();
    assert_eq!(parameters::with_all!(parameters::named), Ok(parameters::SUM));
    assert_eq!(parameters::with_all!(parameters::named_async).await, Ok(parameters::SUM));
    assert_eq!(parameters::with_all!(parameters::named_in_place), Ok(parameters::SUM));
    assert_eq!(parameters::with_all!(parameters::named_under_a_guard).sum::<u64>(), parameters::SUM);
    assert_succeeded(&recording, &["named", "named_async", "named_in_place", "named_under_a_guard"]);
}

#[tokio::test]
async fn the_crate_may_be_renamed() {
    mod facade {
        pub(super) use monitor_runtime as telemetry;
    }

    #[facade::telemetry::track_agent(crate = facade::telemetry, fields(number))]
    async fn renamed(number: u8) -> Result<u8, String> {
        std::future::ready(Ok(number)).await
    }

    let recording = Recording::start();
    assert_eq!(renamed(1).await, Ok(1));
    assert_succeeded(&recording, &["renamed"]);
}

/// Other attributes above and below ours.
mod stacked {
    use super::*;

    #[tokio::main(flavor = "current_thread")]
    #[track_agent]
    pub(super) async fn main_above() -> Result<u8, String> {
        tokio::task::yield_now().await;
        Ok(1)
    }

    #[track_agent]
    #[tokio::main(flavor = "current_thread")]
    pub(super) async fn main_below() -> Result<u8, String> {
        tokio::task::yield_now().await;
        Ok(1)
    }

    #[tracing::instrument(fields(number = number))]
    #[track_agent]
    pub(super) async fn instrumented_above(number: u8, mut text: &str) -> Result<usize, String> {
        text = text.trim();
        tokio::task::yield_now().await;
        tracing::info!("inside");
        Ok(usize::from(number) + text.len())
    }

    #[track_agent]
    #[tracing::instrument(fields(number = number))]
    pub(super) async fn instrumented_below(number: u8, mut text: &str) -> Result<usize, String> {
        text = text.trim();
        tokio::task::yield_now().await;
        tracing::info!("inside");
        Ok(usize::from(number) + text.len())
    }

    #[tracing::instrument(err)]
    #[track_agent]
    pub(super) fn instrumented_plain_above(text: &mut String) -> Result<usize, String> {
        text.push('x');
        Ok(text.len())
    }

    #[track_agent]
    #[tracing::instrument(err)]
    pub(super) fn instrumented_plain_below(text: &mut String) -> Result<usize, String> {
        text.push('x');
        Ok(text.len())
    }

    #[inline]
    #[must_use]
    #[track_agent]
    #[cfg_attr(any(), no_such_attribute)]
    #[cold]
    pub(super) fn hinted(shown: impl Debug) -> String {
        format!("{shown:?}")
    }

    #[track_skill("both_skill")]
    #[track_agent("both_agent")]
    pub(super) async fn both() -> Result<u8, String> {
        tokio::task::yield_now().await;
        Ok(1)
    }
}

#[test]
fn tokio_main_may_stand_above_and_below() {
    let recording = Recording::start();
    assert_eq!((stacked::main_above(), stacked::main_below()), (Ok(1), Ok(1)));
    assert_succeeded(&recording, &["main_above", "main_below"]);
}

#[tokio::test]
#[track_agent]
async fn tokio_test_may_stand_above() {
    let recording = Recording::start();
    tokio::task::yield_now().await;
    // The test's own call began before its body did.
    assert_eq!(recording.value("active_agents", &[("agent_id", "tokio_test_may_stand_above")]), 0.0);
    assert_running("tokio_test_may_stand_above");
}

#[track_agent]
#[tokio::test]
async fn tokio_test_may_stand_below() {
    tokio::task::yield_now().await;
    assert_running("tokio_test_may_stand_below");
}

/// Asserts that the agent is in flight.
#[track_caller]
fn assert_running(agent: &str) {
    let line = format!("active_agents{{agent_id=\"{agent}\"}} 1\n");
    assert!(monitor_runtime::metrics::render().contains(&line), "{agent} is not in flight");
}

#[test]
fn instrument_may_stand_above_and_below() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let recording = Recording::start();
    let lines = capture_logs(|| {
        assert_eq!(runtime.block_on(stacked::instrumented_above(1, " a ")), Ok(2));
        assert_eq!(runtime.block_on(stacked::instrumented_below(1, " a ")), Ok(2));
    });
    assert_eq!(stacked::instrumented_plain_above(&mut String::new()), Ok(1));
    assert_eq!(stacked::instrumented_plain_below(&mut String::new()), Ok(1));
    assert_succeeded(
        &recording,
        &["instrumented_above", "instrumented_below", "instrumented_plain_above", "instrumented_plain_below"],
    );
    // A line inside has the fields of both spans.
    for (line, agent) in lines.iter().zip(["instrumented_above", "instrumented_below"]) {
        assert_eq!((&line["agent_id"], &line["number"]), (&agent.into(), &1.into()));
    }
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn ours_may_stand_on_each_other_and_beside_hints() {
    let recording = Recording::start();
    assert_eq!(stacked::hinted(1), "1");
    assert_eq!(stacked::both().await, Ok(1));
    assert_succeeded(&recording, &["hinted", "both_agent"]);
    let labels = [("skill_id", "both_skill"), ("status", "success")];
    assert_eq!(recording.value("skill_executions_total", &labels), 1.0);
}

/// A wrapper that puts the body into a block of its own, and works on when that has ended.
macro_rules! wrapped {
    ($(#[$meta:meta])* $($keyword:ident)* ($($argument:ident: $type:ty),*) -> $returned:ty, $body:block) => {
        $(#[$meta])*
        $($keyword)* ($($argument: $type),*) -> $returned {
            let result = $body;
            AFTER.with(|after| after.set(after.get() + 1));
            result
        }
    };
}

thread_local! {
    static AFTER: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
}

/// The effect of a user's attribute below ours, by hand: our body ends up in a block.
#[tokio::test]
async fn code_after_the_body_in_a_wrapper_below_runs() {
    macro_rules! wrap {
        ($(#[$meta:meta])* fn $name:ident($($argument:ident: $type:ty),*) -> $returned:ty $body:block) => {
            wrapped!($(#[$meta])* fn $name ($($argument: $type),*) -> $returned, $body);
        };
        ($(#[$meta:meta])* async fn $name:ident($($argument:ident: $type:ty),*) -> $returned:ty $body:block) => {
            wrapped!($(#[$meta])* async fn $name ($($argument: $type),*) -> $returned, $body);
        };
    }

    #[track_agent]
    #[macro_rules_attribute::apply(wrap)]
    fn in_place() -> Result<u8, String> {
        Ok(1)
    }

    #[track_agent]
    #[macro_rules_attribute::apply(wrap)]
    fn under_a_guard(number: u8) -> u8 {
        number
    }

    #[track_agent]
    #[macro_rules_attribute::apply(wrap)]
    fn in_a_closure(text: &str) -> Result<u8, std::num::ParseIntError> {
        let number = text.parse()?;
        Ok(number)
    }

    #[track_agent]
    #[macro_rules_attribute::apply(wrap)]
    async fn asynchronous(number: u8) -> Result<u8, String> {
        tokio::task::yield_now().await;
        Ok(number)
    }

    let recording = Recording::start();
    assert_eq!((in_place(), under_a_guard(2), in_a_closure("3")), (Ok(1), 2, Ok(3)));
    assert_eq!(AFTER.get(), 3);
    // The test runs on one thread.
    assert_eq!(asynchronous(4).await, Ok(4));
    assert_eq!(AFTER.get(), 4);
    assert_succeeded(&recording, &["in_place", "under_a_guard", "in_a_closure", "asynchronous"]);
}

/// A body that a macro takes and gives back is the user's; the lint would call its braces unnecessary in code of our own.
#[test]
fn a_block_that_a_macro_hands_on_keeps_its_braces() {
    macro_rules! made {
        ($name:ident, $body:block) => {
            #[track_skill]
            fn $name(number: u32) -> Result<u32, std::num::ParseIntError> {
                let _ = number;
                $body
            }
        };
        (whole $name:ident, $body:block) => {
            #[track_skill]
            fn $name() -> u32 $body
        };
        (only $name:ident, $body:block) => {
            #[track_skill]
            fn $name(_number: String) -> Result<u32, std::num::ParseIntError> { $body }
        };
    }

    made!(early, { Ok("3".parse::<u32>()?.max(1)) });
    made!(in_place, { Ok(3) });
    made!(whole whole, { 3 });
    made!(only only, { Ok(3) });
    assert_eq!((early(1), in_place(1), whole(), only(String::new())), (Ok(3), Ok(3), 3, Ok(3)));
}
