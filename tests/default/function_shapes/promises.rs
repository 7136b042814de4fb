//! Bodies whose type says less than their signature does.

use std::panic::catch_unwind;

use futures_util::{Stream, StreamExt as _, stream};
use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

use crate::function_shapes::{assert_ended, assert_succeeded};

#[track_agent]
fn borrowing_closure() -> impl Fn(&str) -> &str {
    |text| &text[1..]
}

#[track_agent]
fn closures_in_a_tuple() -> (impl Fn(&str) -> &str, (u8, impl Fn(&u8) -> &u8)) {
    (|text| &text[1..], (1, |number| number))
}

#[track_agent]
fn closure_of_closures() -> impl Fn(u8) -> Box<dyn Fn() -> u8> {
    |number| Box::new(move || number)
}

#[track_agent]
fn future_of_result(text: &str) -> impl Future<Output = Result<u8, Box<dyn std::error::Error>>> {
    async move {
        if text.is_empty() {
            return Err("empty".into());
        }
        Ok(text.parse::<u8>()?)
    }
}

#[track_agent]
fn items_of_result(numbers: Vec<u8>) -> impl Stream<Item = Result<u8, Box<dyn std::error::Error>>> {
    stream::iter(numbers).map(|number| {
        if number == 0 {
            return Err("zero".into());
        }
        Ok(number)
    })
}

#[track_agent]
fn boxed_unpin(number: u8) -> Box<dyn Future<Output = Result<u8, String>> + Send + Unpin> {
    Box::new(std::future::ready(if number == 0 { Err("zero".to_owned()) } else { Ok(number) }))
}

#[track_agent]
fn boxed_stream_unpin(to: u8) -> Box<dyn Stream<Item = u8> + Send + Unpin> {
    Box::new(stream::iter(0..to))
}

#[tokio::test]
async fn bounds_of_the_signature_reach_the_body() {
    let recording = Recording::start();
    assert_eq!(borrowing_closure()("abc"), "bc");
    let (behind_first, (number, same)) = closures_in_a_tuple();
    assert_eq!((behind_first("abc"), same(&number)), ("bc", &1));
    assert_eq!(closure_of_closures()(1)(), 1);
    assert_eq!(future_of_result("1").await.unwrap(), 1);
    future_of_result("").await.unwrap_err();
    assert_eq!(items_of_result(vec![1, 0]).count().await, 2);
    assert_eq!(boxed_unpin(1).await, Ok(1));
    boxed_unpin(0).await.unwrap_err();
    assert_eq!(boxed_stream_unpin(2).count().await, 2);
    assert_succeeded(
        &recording,
        &["borrowing_closure", "closures_in_a_tuple", "closure_of_closures", "boxed_stream_unpin"],
    );
    assert_ended(&recording, "future_of_result", &["success", "error"]);
    assert_ended(&recording, "items_of_result", &["error"]);
    assert_ended(&recording, "boxed_unpin", &["success", "error"]);
}

#[test]
fn a_body_left_in_its_place_that_panics_is_a_panic() {
    #[track_agent]
    fn panics_opaque(fails: bool) -> impl Iterator<Item = u8> {
        assert!(!fails, "on purpose");
        std::iter::once(1)
    }

    let recording = Recording::start();
    assert!(catch_unwind(|| drop(panics_opaque(true))).is_err());
    drop(panics_opaque(false));
    assert_ended(&recording, "panics_opaque", &["panic", "success"]);
}
