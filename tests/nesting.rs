//! Tracked asynchronous functions inside each other, under the compiler's own recursion limit.
//!
//! The compiler follows nested futures to a depth of 128 of its own steps, which plain functions use up at some thirty
//! levels (Rust 1.95) and tracked ones at some thirteen. Deeper nesting takes a `Box::pin`, or a `#![recursion_limit]`.

#![deny(warnings)]

use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

#[derive(Debug)]
struct Broken;

macro_rules! levels {
    ($outer:ident $inner:ident $($rest:ident)*) => {
        #[track_agent]
        async fn $outer(fails: bool) -> Result<u32, Broken> {
            Ok($inner(fails).await? + 1)
        }
        levels!($inner $($rest)*);
    };
    ($innermost:ident) => {
        #[track_agent]
        async fn $innermost(fails: bool) -> Result<u32, Broken> {
            tokio::task::yield_now().await;
            if fails { Err(Broken) } else { Ok(1) }
        }
    };
}

levels!(l01 l02 l03 l04 l05 l06 l07 l08 l09 l10 l11 l12);

#[tokio::test]
async fn twelve_nested_calls_compile_are_send_and_are_counted_each() {
    let recording = Recording::start();
    assert_eq!(tokio::spawn(l01(false)).await.unwrap().unwrap(), 12);
    tokio::spawn(l01(true)).await.unwrap().unwrap_err();
    for agent in ["l01", "l06", "l12"] {
        for status in ["success", "error"] {
            let labels = [("agent_id", agent), ("status", status)];
            assert_eq!(recording.value("agent_executions_total", &labels), 1.0, "{agent} {status}");
        }
    }
}

#[test]
fn a_future_grows_by_the_same_for_each_level() {
    let sizes = [size_of_val(&l01(false)), size_of_val(&l02(false)), size_of_val(&l03(false))];
    assert_eq!(sizes[0] - sizes[1], sizes[1] - sizes[2], "{sizes:?}");
    assert!(sizes[0] - sizes[1] <= 160, "{sizes:?}");
}
