//! Tracked asynchronous functions inside each other, under the compiler's own recursion limit.
//!
//! The compiler follows futures inside futures to a depth of 128 of its own steps, of which a tracked function takes as many as
//! two plain ones: the `async` block that is its body, in the `async fn` that it is. How far that goes depends on the order:
//!
//! | Rust 1.95 | plain | tracked |
//! | --- | --- | --- |
//! | inner functions stand first, and the outermost is awaited | 60 | more than 99 |
//! | inner functions stand first, and the outermost is spawned, for which it has to be `Send` | 40 | 24 |
//! | outer functions stand first | 30 | 15 |
//!
//! Deeper nesting takes a `Box::pin` or a `#![recursion_limit]`, with the attribute as without.

#![deny(warnings)]
#![allow(clippy::large_types_passed_by_value, reason = "the size is what is tested")]

use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

#[derive(Debug)]
struct Broken;

macro_rules! outer_first {
    ($outer:ident $inner:ident $($rest:ident)*) => {
        #[track_agent]
        async fn $outer(fails: bool) -> Result<u32, Broken> {
            Ok($inner(fails).await? + 1)
        }
        outer_first!($inner $($rest)*);
    };
    ($innermost:ident) => {
        #[track_agent]
        async fn $innermost(fails: bool) -> Result<u32, Broken> {
            tokio::task::yield_now().await;
            if fails { Err(Broken) } else { Ok(1) }
        }
    };
}

macro_rules! inner_first {
    ($inner:ident $outer:ident $($rest:ident)*) => {
        #[track_agent]
        async fn $outer(fails: bool) -> Result<u32, Broken> {
            Ok($inner(fails).await? + 1)
        }
        inner_first!($outer $($rest)*);
    };
    ($outermost:ident) => {};
}

outer_first!(l01 l02 l03 l04 l05 l06 l07 l08 l09 l10 l11 l12 l13 l14 l15);
inner_first! {
    l15
    m02 m03 m04 m05 m06 m07 m08 m09 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19 m20 m21 m22 m23 m24 m25 m26
    m27 m28 m29 m30 m31 m32 m33 m34 m35 m36 m37 m38 m39 m40
}

/// Asserts that each of the agents had one call since the recording began, which ended so.
#[track_caller]
fn assert_each_ended(recording: &Recording, agents: impl Iterator<Item = String>, status: &str) {
    for agent in agents {
        let labels = [("agent_id", &*agent), ("status", status)];
        assert_eq!(recording.value("agent_executions_total", &labels), 1.0, "{agent}");
    }
}

#[tokio::test]
async fn forty_nested_calls_compile_and_are_counted_each() {
    let recording = Recording::start();
    assert_eq!(m40(false).await.unwrap(), 40);
    m40(true).await.unwrap_err();
    for status in ["success", "error"] {
        assert_each_ended(&recording, (2..=40).map(|level| format!("m{level:02}")), status);
    }
}

#[tokio::test]
async fn twenty_four_nested_calls_are_send() {
    let recording = Recording::start();
    assert_eq!(tokio::spawn(m24(false)).await.unwrap().unwrap(), 24);
    assert_each_ended(&recording, (2..=24).map(|level| format!("m{level:02}")), "success");
}

#[tokio::test]
async fn fifteen_nested_calls_are_send_with_outer_functions_first() {
    let recording = Recording::start();
    assert_eq!(tokio::spawn(l01(false)).await.unwrap().unwrap(), 15);
    tokio::spawn(l01(true)).await.unwrap().unwrap_err();
    for status in ["success", "error"] {
        assert_each_ended(&recording, (1..=15).map(|level| format!("l{level:02}")), status);
    }
}

#[test]
fn a_future_grows_by_the_same_for_each_level() {
    let sizes = [size_of_val(&l01(false)), size_of_val(&l02(false)), size_of_val(&l03(false))];
    assert_eq!(sizes[0] - sizes[1], sizes[1] - sizes[2], "{sizes:?}");
    assert!(sizes[0] - sizes[1] <= 160, "{sizes:?}");
}

#[test]
fn a_tracked_future_is_at_most_128_bytes_larger() {
    async fn plain(bytes: [u8; 1_000]) -> u8 {
        tokio::task::yield_now().await;
        bytes[3]
    }
    #[track_agent]
    async fn tracked(bytes: [u8; 1_000]) -> u8 {
        tokio::task::yield_now().await;
        bytes[3]
    }

    let (plain, tracked) = (size_of_val(&plain([0; 1_000])), size_of_val(&tracked([0; 1_000])));
    assert!(tracked <= plain + 128, "{tracked} bytes, {plain} without us");
}
