//! Lints see a tracked function as if the attribute were absent; the messages themselves are in `ui/fail/lints`.
//!
//! An `expect` that is not fulfilled is a warning, and a warning fails this file. `lint_twins` compares what clippy
//! reports with the attributes and without.

#![deny(warnings)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(
    clippy::absolute_paths,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::as_underscore,
    clippy::default_trait_access,
    clippy::else_if_without_else,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::infinite_loop,
    clippy::let_underscore_must_use,
    clippy::let_underscore_untyped,
    clippy::min_ident_chars,
    clippy::mixed_read_write_in_expression,
    clippy::panic,
    clippy::panic_in_result_fn,
    clippy::pattern_type_mismatch,
    clippy::print_stdout,
    clippy::redundant_type_annotations,
    clippy::same_name_method,
    clippy::semicolon_inside_block,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::shadow_unrelated,
    clippy::std_instead_of_core,
    clippy::string_slice,
    clippy::todo,
    clippy::unneeded_field_pattern,
    clippy::unreachable,
    clippy::unseparated_literal_suffix,
    clippy::unwrap_in_result,
    clippy::unwrap_used,
    clippy::wildcard_imports
)]

use core::fmt::Error;
use core::future::ready;
use core::pin::Pin;

use futures_util::stream::{BoxStream, iter};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use monitor_runtime::{track_agent, track_query, track_skill};

#[expect(dead_code, reason = "asserts that the lint fires")]
#[track_agent]
fn never_called() {}

#[expect(dead_code, reason = "asserts that the lint fires")]
#[track_agent]
async fn never_called_async() {
    ready(()).await;
}

#[expect(unused_variables, unused_mut, reason = "asserts that the lints fire")]
#[track_agent]
fn careless(unused: u8, mut unchanged: u8) -> u8 {
    unchanged
}

#[expect(unreachable_code, reason = "asserts that the lint fires")]
#[track_skill]
async fn hasty() -> u8 {
    ready(()).await;
    return 1;
    2
}

#[track_agent("careful", fields(length = text.len(), %text, ?number))]
fn careful(text: &str, number: Option<u8>, _unused: String) -> Result<usize, Error> {
    number.map_or(Err(Error), |more| Ok(text.len() + usize::from(more)))
}

struct Tool(u8);

#[track_skill(level = "debug", log_errors = "warn")]
impl Tool {
    #[track(id = text, ok_if = Option::is_some)]
    async fn call(&self, text: &str) -> Option<u8> {
        ready(()).await;
        (text.len() > usize::from(self.0)).then_some(self.0)
    }

    fn future(&self) -> impl Future<Output = u8> + '_ {
        ready(self.0)
    }
}

#[track_query]
fn query() -> &'static str {
    "SELECT 1"
}

#[track_agent]
async fn assigned(mut text: &str, replacement: String) -> usize {
    if text.is_empty() {
        text = &replacement;
    }
    ready(()).await;
    text.len()
}

/// A function that gives a future on purpose looks, inside, like one that lacks an `.await`.
#[track_agent]
async fn gives_a_future(number: u8) -> Pin<Box<dyn Future<Output = u8>>> {
    ready(()).await;
    Box::pin(ready(number))
}

#[track_agent]
fn destructuring((left, _): (u8, String), _: String, [first, ..]: [u8; 3]) -> u8 {
    left.max(first)
}

#[track_caller]
#[track_agent]
fn opened_in_place(text: &str) -> Result<usize, Error> {
    if text.is_empty() { Err(Error) } else { Ok(text.len()) }
}

#[track_agent]
fn items(numbers: Vec<u8>) -> impl Stream<Item = u8> {
    iter(numbers)
}

#[track_agent]
async fn opened(numbers: Vec<u8>) -> Result<BoxStream<'static, u8>, Error> {
    ready(()).await;
    Ok(iter(numbers).boxed())
}

/// For people who ask for a `return` at every end.
mod returning {
    #![deny(clippy::implicit_return)]
    #![allow(clippy::needless_return, reason = "what the other asks for")]

    use super::{Error, ready, track_agent};

    #[track_agent]
    fn plain(text: &str) -> Result<usize, Error> {
        return Ok(text.len());
    }

    #[track_agent]
    async fn later(text: &str) -> usize {
        ready(()).await;
        return text.len();
    }

    #[track_caller]
    #[track_agent]
    fn guarded(text: &str) -> usize {
        return text.len();
    }

    #[track_agent]
    fn future(number: u8) -> impl Future<Output = u8> {
        return ready(number);
    }

    #[tokio::test]
    async fn lints_that_ask_for_a_return_find_one() {
        assert_eq!(plain("a"), Ok(later("b").await));
        assert_eq!(guarded("a"), usize::from(future(1).await));
    }
}

#[tokio::test]
async fn code_with_lint_attributes_runs() {
    assert_eq!(careless(1, 2), 2);
    assert_eq!(hasty().await, 1);
    assert_eq!(careful("ab", Some(1), String::new()), Ok(3));
    assert_eq!(Tool(1).call("ab").await, Some(1));
    assert_eq!(Tool(1).future().await, 1);
    assert_eq!(query(), "SELECT 1");
    assert_eq!(assigned("", "text".to_owned()).await, 4);
    assert_eq!(gives_a_future(1).await.await, 1);
    assert_eq!(destructuring((1, String::new()), String::new(), [2, 3, 4]), 2);
    assert_eq!(opened_in_place("ab"), Ok(2));
    assert_eq!(items(vec![1]).count().await, 1);
    assert_eq!(opened(vec![1]).await.map(|stream| stream.count().now_or_never()), Ok(Some(1)));
}
