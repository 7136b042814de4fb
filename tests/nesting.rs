//! Tracked asynchronous functions inside each other, under the compiler's own recursion limit.
//!
//! The compiler follows nested futures to a depth of 128 of its own steps. Rust 1.95 comes to their end, where outer functions
//! stand before inner ones, at 30 levels of plain functions and at 13 of tracked ones; where inner ones come first, at 40
//! and at 20. Deeper nesting takes a `Box::pin`, or a `#![recursion_limit]`.

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

outer_first!(l01 l02 l03 l04 l05 l06 l07 l08 l09 l10 l11 l12 l13);
inner_first!(l08 m07 m08 m09 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19);

#[tokio::test]
async fn thirteen_nested_calls_compile_are_send_and_are_counted_each() {
    let recording = Recording::start();
    assert_eq!(tokio::spawn(l01(false)).await.unwrap().unwrap(), 13);
    tokio::spawn(l01(true)).await.unwrap().unwrap_err();
    for agent in ["l01", "l07", "l13"] {
        for status in ["success", "error"] {
            let labels = [("agent_id", agent), ("status", status)];
            assert_eq!(recording.value("agent_executions_total", &labels), 1.0, "{agent} {status}");
        }
    }
}

#[tokio::test]
async fn nineteen_nested_calls_compile_and_are_send_where_inner_functions_stand_first() {
    let recording = Recording::start();
    assert_eq!(tokio::spawn(m19(false)).await.unwrap().unwrap(), 19);
    for agent in ["m19", "m07", "l13"] {
        let labels = [("agent_id", agent), ("status", "success")];
        assert_eq!(recording.value("agent_executions_total", &labels), 1.0, "{agent}");
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
