//! Bodies that a tracked function may have.

use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use futures_util::FutureExt as _;
use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

use crate::function_shapes::assert_ended;

#[track_agent]
fn inner_attributes() -> u8 {
    #![allow(unused_variables)]
    //! Documented from inside.
    let unused = 1;
    1
}

#[track_agent]
fn unfinished() -> u8 {
    todo!("on purpose")
}

#[track_agent]
async fn converted(text: &str) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    if text.is_empty() {
        return Err("empty".into());
    }
    Ok(text.parse::<u8>()?)
}

#[derive(Debug)]
struct Refused(String);

impl From<&str> for Refused {
    fn from(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

impl From<ParseIntError> for Refused {
    fn from(reason: ParseIntError) -> Self {
        Self(reason.to_string())
    }
}

#[track_agent]
fn refused(text: &str) -> Result<u8, Refused> {
    if text.is_empty() {
        return Err("empty".into());
    }
    let number: u8 = text.parse()?;
    Ok(number)
}

#[track_agent]
async fn unfinished_async() -> Result<u8, Refused> {
    todo!("on purpose")
}

#[track_agent]
fn ended_by_a_break(mut left: u8) -> u8 {
    loop {
        left -= 1;
        if left == 0 {
            break left;
        }
    }
}

#[track_agent]
async fn endless_async() -> u8 {
    loop {
        tokio::task::yield_now().await;
    }
}

#[track_agent]
fn statements_before_a_box(numbers: &mut Vec<u8>) -> Pin<Box<dyn Future<Output = usize> + '_>> {
    numbers.push(1);
    assert!(!numbers.is_empty());
    Box::pin(async move {
        numbers.push(2);
        numbers.len()
    })
}

#[track_agent]
async fn statements_before_an_awaited_box(number: u8) -> u8 {
    let more = number + 1;
    Box::pin(async move { more + 1 }).await
}

#[tokio::test]
async fn statements_before_a_boxed_future_run_when_it_is_made() {
    let recording = Recording::start();
    let mut numbers = vec![];
    drop(statements_before_a_box(&mut numbers));
    assert_eq!(numbers, [1]);
    assert_eq!(statements_before_a_box(&mut numbers).await, 3);
    assert_eq!(statements_before_an_awaited_box(1).await, 3);
    assert_ended(&recording, "statements_before_a_box", &["success"]);
    assert_ended(&recording, "statements_before_an_awaited_box", &["success"]);
}

#[tokio::test]
async fn bodies_of_every_form_run() {
    let recording = Recording::start();
    assert_eq!(inner_attributes(), 1);
    catch_unwind(unfinished).unwrap_err();
    assert_eq!(converted("1").await.unwrap(), 1);
    converted("").await.unwrap_err();
    assert_eq!(refused("1").unwrap(), 1);
    assert_eq!(refused("").unwrap_err().0, "empty");
    refused("x").unwrap_err();
    AssertUnwindSafe(unfinished_async()).catch_unwind().await.unwrap_err();
    assert_eq!(ended_by_a_break(3), 0);
    assert!(endless_async().now_or_never().is_none());
    assert_ended(&recording, "refused", &["success", "error", "error"]);
    assert_ended(&recording, "unfinished_async", &["panic"]);
    assert_ended(&recording, "ended_by_a_break", &["success"]);
    assert_ended(&recording, "endless_async", &["cancelled"]);
    assert_ended(&recording, "inner_attributes", &["success"]);
    assert_ended(&recording, "unfinished", &["panic"]);
    assert_ended(&recording, "converted", &["success", "error"]);
}
