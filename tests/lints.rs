//! Lints see a tracked function as if the attribute were not there; the messages themselves stand in `ui/fail/lints`.
//!
//! An `expect` that is not fulfilled is a warning, and a warning fails this file.

#![deny(warnings)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(
    clippy::absolute_paths,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    clippy::let_underscore_untyped,
    clippy::panic,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::shadow_unrelated,
    clippy::unreachable,
    clippy::unwrap_used,
    clippy::wildcard_imports
)]

use core::fmt::Error;
use core::future::ready;

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

#[tokio::test]
async fn what_lints_accept_and_refuse_runs() {
    assert_eq!(careless(1, 2), 2);
    assert_eq!(hasty().await, 1);
    assert_eq!(careful("ab", Some(1), String::new()), Ok(3));
    assert_eq!(Tool(1).call("ab").await, Some(1));
    assert_eq!(Tool(1).future().await, 1);
    assert_eq!(query(), "SELECT 1");
}
