//! Types that a tracked function may return.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use futures_util::FutureExt as _;
use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

use crate::function_shapes::{assert_ended, assert_succeeded};

#[track_agent]
fn opaque_in_a_tuple() -> (impl Iterator<Item = u8>, impl Fn(u8) -> u8) {
    (std::iter::once(1), |number| number + 1)
}

#[track_agent]
fn opaque_on_both_sides(fails: bool) -> Result<impl Iterator<Item = u8>, impl Debug> {
    if fails {
        return Err("asked to");
    }
    Ok(std::iter::once(1))
}

#[track_agent]
async fn opaque_async(fails: bool) -> Result<impl Iterator<Item = u8>, impl Debug> {
    if fails {
        return Err("asked to");
    }
    Ok(std::iter::once(1))
}

#[track_agent]
fn qualified<I: Iterator>(mut items: I) -> Option<<I as Iterator>::Item> {
    items.next()
}

#[track_agent]
fn coerced() -> Box<dyn Debug> {
    Box::new(1)
}

#[track_agent]
async fn coerced_async() -> Result<Box<dyn Debug + Send>, String> {
    Ok(Box::new(1))
}

#[track_agent]
fn closure(by: u8) -> impl Fn(u8) -> u8 {
    move |number| number + by
}

#[track_agent]
fn elided(text: &str) -> &str {
    &text[1..]
}

#[track_agent]
async fn elided_async(text: &str) -> &str {
    &text[1..]
}

#[track_agent]
fn reborrowed(items: &mut Vec<u8>) -> &mut u8 {
    items.push(1);
    &mut items[0]
}

#[track_agent]
async fn reborrowed_async(items: &mut Vec<u8>) -> &mut u8 {
    items.push(1);
    &mut items[0]
}

#[tokio::test]
async fn tracked_functions_return_the_same_values() {
    let recording = Recording::start();
    let (mut items, add) = opaque_in_a_tuple();
    assert_eq!((items.next(), add(1)), (Some(1), 2));
    assert_eq!(opaque_on_both_sides(false).map(Iterator::count).ok(), Some(1));
    assert!(opaque_on_both_sides(true).is_err());
    assert_eq!(opaque_async(false).await.map(Iterator::count).ok(), Some(1));
    assert!(opaque_async(true).await.is_err());
    assert_eq!(qualified([7].into_iter()), Some(7));
    assert_eq!(format!("{:?}", coerced()), "1");
    assert_eq!(format!("{:?}", coerced_async().await), "Ok(1)");
    assert_eq!(closure(2)(3), 5);
    assert_eq!(elided("abc"), "bc");
    assert_eq!(elided_async("abc").await, "bc");
    *reborrowed(&mut vec![]) += 1;
    *reborrowed_async(&mut vec![]).await += 1;

    assert_succeeded(
        &recording,
        &[
            "opaque_in_a_tuple",
            "qualified",
            "coerced",
            "coerced_async",
            "closure",
            "elided",
            "elided_async",
            "reborrowed",
            "reborrowed_async",
        ],
    );
    assert_ended(&recording, "opaque_on_both_sides", &["success", "error"]);
    assert_ended(&recording, "opaque_async", &["success", "error"]);
}

#[track_agent]
fn never() -> ! {
    panic!("on purpose")
}

#[track_agent]
async fn never_async() -> ! {
    tokio::task::yield_now().await;
    panic!("on purpose")
}

#[track_agent]
async fn endless() -> ! {
    loop {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_function_that_never_returns_ends_all_the_same() {
    let recording = Recording::start();
    catch_unwind(|| never()).unwrap_err();
    AssertUnwindSafe(async { never_async().await }).catch_unwind().await.unwrap_err();
    assert!(pin!(async { endless().await }).now_or_never().is_none());
    assert_ended(&recording, "never", &["panic"]);
    assert_ended(&recording, "never_async", &["panic"]);
    assert_ended(&recording, "endless", &["cancelled"]);
}
