//! Forms that people have reported other attributes to fail on, and their neighbours.

#![allow(clippy::unnecessary_wraps, reason = "the form is what is tested")]

use std::any::Any;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::num::ParseIntError;
use std::pin::Pin;

use futures_util::future::{self, Either};
use futures_util::{FutureExt as _, Stream, StreamExt as _, TryFutureExt as _, stream};
use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

use crate::function_shapes::{assert_ended, assert_succeeded};

/// Coercions of a body's last expression to the type of the signature.
mod coercions {
    use super::*;

    pub(super) type Job = Box<dyn FnOnce() -> u8 + Send + Sync>;
    pub(super) type Reply = Pin<Box<dyn Future<Output = Result<u32, String>> + Send>>;

    #[track_agent]
    pub(super) async fn job() -> Result<Job, std::io::Error> {
        Ok(Box::new(|| 1))
    }

    #[track_agent]
    pub(super) async fn reply() -> Result<Reply, String> {
        let inner = async { Err::<u32, _>("refused") };
        let mapped = async move { inner.await.map_err(str::to_owned) };
        Ok(Box::pin(mapped))
    }

    #[track_agent]
    pub(super) async fn one_of_two_futures(first: bool) -> Box<dyn Future<Output = u8> + Send + Unpin> {
        if first {
            return Box::new(future::ready(1));
        }
        Box::new(Box::pin(async { 2 }))
    }

    #[track_agent]
    #[allow(clippy::needless_return, reason = "a body that only returns is what is tested")]
    pub(super) async fn only_returned() -> &'static dyn Debug {
        return &1;
    }

    #[track_agent]
    pub(super) fn slice() -> &'static [u8] {
        &[1, 2]
    }

    #[track_agent]
    pub(super) async fn slice_async() -> &'static [u8] {
        &[1, 2]
    }

    #[track_agent]
    pub(super) fn function_pointer() -> fn(u8) -> u8 {
        |number| number + 1
    }

    #[track_agent]
    pub(super) async fn function_pointer_async() -> fn(u8) -> u8 {
        |number| number + 1
    }

    #[track_agent]
    pub(super) fn in_an_option(first: bool) -> Option<Box<dyn Debug>> {
        if first {
            return Some(Box::new(1));
        }
        Some(Box::new("two"))
    }

    #[track_agent]
    pub(super) fn in_a_vector() -> Vec<Box<dyn Debug>> {
        vec![Box::new(1), Box::new("two")]
    }

    #[track_agent]
    pub(super) fn in_a_tuple() -> (Box<dyn Debug>, &'static dyn Debug) {
        (Box::new(1), &2)
    }

    #[track_agent]
    pub(super) fn arms(number: u8) -> Box<dyn Debug> {
        match number {
            0 => Box::new(0),
            1 => Box::new("one"),
            _ => todo!(),
        }
    }

    #[track_agent]
    pub(super) async fn arms_async(number: u8) -> Box<dyn Debug + Send> {
        match number {
            0 => Box::new(0),
            1 => Box::new("one"),
            _ => todo!(),
        }
    }

    #[track_agent]
    pub(super) fn any<T: Send + 'static>(value: T) -> Box<dyn Any + Send> {
        Box::new(value)
    }
}

#[tokio::test]
async fn an_end_is_coerced_to_the_declared_type() {
    let recording = Recording::start();
    assert_eq!(coercions::job().await.unwrap()(), 1);
    assert_eq!(coercions::reply().await.unwrap().await, Err("refused".to_owned()));
    assert_eq!(coercions::one_of_two_futures(true).await.await, 1);
    assert_eq!(format!("{:?}", coercions::only_returned().await), "1");
    assert_eq!(coercions::slice(), coercions::slice_async().await);
    assert_eq!(coercions::function_pointer()(1), coercions::function_pointer_async().await(1));
    assert_eq!(format!("{:?}", coercions::in_an_option(false)), "Some(\"two\")");
    assert_eq!(format!("{:?}", coercions::in_a_vector()), "[1, \"two\"]");
    assert_eq!(format!("{:?}", coercions::in_a_tuple()), "(1, 2)");
    assert_eq!(format!("{:?}", coercions::arms(1)), "\"one\"");
    assert_eq!(format!("{:?}", coercions::arms_async(0).await), "0");
    assert!(coercions::any(1_u8).is::<u8>());
    assert_succeeded(
        &recording,
        &[
            "job",
            "reply",
            "one_of_two_futures",
            "only_returned",
            "slice",
            "slice_async",
            "function_pointer",
            "function_pointer_async",
            "in_an_option",
            "in_a_vector",
            "in_a_tuple",
            "arms",
            "arms_async",
            "any",
        ],
    );
}

/// `impl Trait` in every allowed position, and futures made in more than one way.
mod opaque {
    use super::*;

    #[track_agent]
    pub(super) fn of_opaque() -> Option<impl Iterator<Item = impl Display>> {
        Some([1].into_iter())
    }

    #[track_agent]
    pub(super) fn boxed() -> Box<impl Display> {
        Box::new(1)
    }

    #[track_agent]
    pub(super) fn array() -> [impl Display; 2] {
        [1, 2]
    }

    #[track_agent]
    pub(super) fn borrowed(number: &u8) -> &impl Display {
        number
    }

    #[track_agent]
    pub(super) async fn in_a_tuple_async() -> (impl Display, Result<impl Debug, ()>) {
        (1, Ok(2))
    }

    #[track_agent]
    pub(super) fn destructured((left, right): (impl Display, impl Debug)) -> String {
        format!("{left}{right:?}")
    }

    #[track_agent]
    pub(super) fn future_in_a_result(text: &str) -> Result<impl Future<Output = u8> + use<>, ParseIntError> {
        let number = text.parse()?;
        Ok(async move { number })
    }

    #[track_agent]
    pub(super) fn stream_in_a_result(opens: bool) -> Result<impl Stream<Item = u8>, String> {
        if opens { Ok(stream::iter([1])) } else { Err("closed".to_owned()) }
    }

    #[track_agent]
    pub(super) fn awaitable() -> impl IntoFuture<Output = u8> {
        future::ready(1)
    }

    #[track_agent]
    pub(super) fn one_of_two(first: bool) -> impl Future<Output = u8> {
        if first {
            return Either::Left(async { 1 });
        }
        Either::Right(future::ready(2))
    }

    type Fallible<'a, T> = Pin<Box<dyn Future<Output = Result<T, Box<dyn Error>>> + 'a>>;

    #[track_agent]
    pub(super) fn boxed_in_two_ways(text: &str) -> Fallible<'_, usize> {
        if text.is_empty() {
            return Box::pin(async { Err("empty".into()) });
        }
        async { Ok(text.len()) }.boxed_local()
    }

    #[track_agent]
    pub(super) fn combined(text: &str) -> impl Future<Output = Result<usize, String>> {
        future::ok(text).map_ok(str::len).and_then(|length| async move { Ok(length) })
    }

    #[track_agent]
    pub(super) fn unfolded() -> impl Stream<Item = u8> {
        let from = 1;
        stream::unfold(from, |number| async move { (number < 3).then_some((number, number + 1)) })
    }
}

#[tokio::test]
async fn an_opaque_type_may_stand_anywhere() {
    let recording = Recording::start();
    assert_eq!(opaque::of_opaque().unwrap().next().unwrap().to_string(), "1");
    assert_eq!(opaque::boxed().to_string() + &opaque::array()[1].to_string(), "12");
    assert_eq!(opaque::borrowed(&1).to_string(), "1");
    assert_eq!(opaque::in_a_tuple_async().await.0.to_string(), "1");
    assert_eq!(opaque::destructured((1, "two")), "1\"two\"");
    assert_eq!(opaque::future_in_a_result("1").unwrap().await, 1);
    assert!(opaque::future_in_a_result("").is_err());
    assert_eq!(opaque::stream_in_a_result(true).unwrap().count().await, 1);
    assert!(opaque::stream_in_a_result(false).is_err());
    assert_eq!(opaque::awaitable().await, 1);
    assert_eq!(opaque::one_of_two(false).await, 2);
    assert_eq!(opaque::combined("ab").await, Ok(2));
    opaque::boxed_in_two_ways("").await.unwrap_err();
    assert_eq!(opaque::boxed_in_two_ways("ab").await.unwrap(), 2);
    assert_eq!(opaque::unfolded().count().await, 2);
    assert_succeeded(
        &recording,
        &[
            "of_opaque",
            "boxed",
            "array",
            "borrowed",
            "in_a_tuple_async",
            "destructured",
            "awaitable",
            "one_of_two",
            "combined",
            "unfolded",
        ],
    );
    assert_ended(&recording, "future_in_a_result", &["success", "error"]);
    assert_ended(&recording, "stream_in_a_result", &["success", "error"]);
    assert_ended(&recording, "boxed_in_two_ways", &["success", "error"]);
}

/// Ends whose type only the signature tells.
mod inferred {
    use super::*;

    #[track_agent]
    pub(super) fn into_tail(text: &str) -> String {
        text.into()
    }

    #[track_agent]
    pub(super) async fn into_tail_async(text: &str) -> String {
        text.into()
    }

    #[track_agent]
    pub(super) fn parsed(text: &str) -> Result<u8, ParseIntError> {
        text.parse()
    }

    #[track_agent]
    pub(super) async fn parsed_async(text: &str) -> Result<u8, ParseIntError> {
        text.parse()
    }

    #[track_agent]
    pub(super) fn collected(text: &str) -> HashMap<char, usize> {
        text.chars().zip(0..).collect()
    }

    #[track_agent]
    pub(super) async fn collected_async(texts: &[&str]) -> Result<Vec<u8>, ParseIntError> {
        texts.iter().map(|text| text.parse()).collect()
    }

    #[track_agent]
    pub(super) async fn defaulted() -> (u8, String) {
        Default::default()
    }

    #[track_agent]
    pub(super) fn ensured(text: &str) -> anyhow::Result<u8> {
        anyhow::ensure!(!text.is_empty(), "empty");
        Ok(text.parse()?)
    }

    #[track_agent]
    pub(super) async fn bailed(text: &str) -> anyhow::Result<u8> {
        if text.is_empty() {
            anyhow::bail!("empty")
        }
        Ok(text.parse()?)
    }
}

#[tokio::test]
async fn an_end_is_inferred_from_the_declared_type() {
    let recording = Recording::start();
    assert_eq!(inferred::into_tail("a"), inferred::into_tail_async("a").await);
    assert_eq!(inferred::parsed("1"), inferred::parsed_async("1").await);
    assert_eq!(inferred::collected("ab")[&'b'], 1);
    assert_eq!(inferred::collected_async(&["1", "2"]).await, Ok(vec![1, 2]));
    assert_eq!(inferred::defaulted().await, (0, String::new()));
    inferred::ensured("").unwrap_err();
    inferred::bailed("").await.unwrap_err();
    let succeeded =
        ["into_tail", "into_tail_async", "parsed", "parsed_async", "collected", "collected_async"];
    assert_succeeded(&recording, &succeeded);
    assert_succeeded(&recording, &["defaulted"]);
    assert_ended(&recording, "ensured", &["error"]);
    assert_ended(&recording, "bailed", &["error"]);
}

/// Functions over functions.
mod closures {
    use super::*;

    #[track_agent]
    pub(super) async fn takes_an_async_closure(ask: impl AsyncFn(u8) -> u8) -> u8 {
        ask(1).await
    }

    #[track_agent]
    pub(super) async fn takes_one_that_changes(mut ask: impl AsyncFnMut(u8)) {
        ask(1).await;
        ask(2).await;
    }

    #[track_agent]
    pub(super) fn gives_an_async_closure(by: u8) -> impl AsyncFn(u8) -> u8 {
        async move |number| number + by
    }

    #[track_agent]
    pub(super) async fn takes_an_object(map: &(dyn for<'a> Fn(&'a str) -> &'a str + Sync)) -> usize {
        map("abc").len()
    }

    #[track_agent]
    pub(super) async fn takes_a_changing_object(each: &mut (dyn FnMut(u8) + Send)) {
        each(1);
        each(2);
    }

    #[track_agent]
    pub(super) fn bound_behind_where<F>(map: F) -> usize
    where
        for<'a> F: Fn(&'a str) -> &'a str,
    {
        map("abc").len()
    }
}

#[tokio::test]
async fn functions_over_functions_are_tracked() {
    let recording = Recording::start();
    let mut sum = 0;
    assert_eq!(closures::takes_an_async_closure(async |number| number + 1).await, 2);
    closures::takes_one_that_changes(async |number| sum += number).await;
    closures::takes_a_changing_object(&mut |number| sum += number).await;
    assert_eq!(closures::gives_an_async_closure(1)(sum).await, 7);
    assert_eq!(closures::takes_an_object(&|text| &text[1..]).await, 2);
    assert_eq!(closures::bound_behind_where(|text| &text[2..]), 1);
    assert_succeeded(
        &recording,
        &[
            "takes_an_async_closure",
            "takes_one_that_changes",
            "gives_an_async_closure",
            "takes_an_object",
            "takes_a_changing_object",
            "bound_behind_where",
        ],
    );
}

/// Names and flows.
mod spelled {
    use super::*;

    #[track_agent(fields(r#type, kind = r#type.len()))]
    pub(super) async fn r#gen(r#type: &str) -> usize {
        r#type.len()
    }

    #[track_agent]
    pub(super) fn labelled(number: u8) -> u8 {
        'outer: {
            if number == 0 {
                break 'outer 1;
            }
            'inner: loop {
                for step in 0.. {
                    if step == number {
                        break 'inner step;
                    }
                    if step == u8::MAX {
                        continue 'inner;
                    }
                }
            }
        }
    }

    #[track_agent]
    pub(super) fn optional(text: &str) -> Option<u8> {
        let Some(first) = text.strip_prefix('#') else {
            return Some(0);
        };
        u8::try_from(first.chars().next()?.to_digit(10)?).ok()
    }

    #[track_agent]
    pub(super) async fn optional_async(number: Option<u8>) -> Option<u8> {
        if let Some(number) = number
            && number > 1
        {
            return Some(number);
        }
        Some(number? + 1)
    }

    #[track_agent]
    #[allow(clippy::unused_unit, reason = "the form is what is tested")]
    pub(super) fn unit() -> () {}

    #[track_agent]
    pub(super) fn sized<const N: usize, const REVERSED: bool>(mut bytes: [u8; N]) -> [u8; N] {
        if REVERSED {
            bytes.reverse();
        }
        bytes
    }

    #[track_agent]
    pub(super) fn pattern(
        whole @ (left, _): (u8, u8),
        &third: &u8,
        [first, rest @ ..]: [u8; 3],
        (): (),
    ) -> u8 {
        whole.1 + left + third + first + rest[0]
    }
}

#[tokio::test]
async fn names_patterns_and_flows_are_the_functions_own() {
    let recording = Recording::start();
    assert_eq!(spelled::r#gen("ab").await, 2);
    assert_eq!(spelled::labelled(3), 3);
    assert_eq!(spelled::optional("#7"), Some(7));
    assert_eq!(spelled::optional("7"), Some(0));
    assert_eq!(spelled::optional("#x"), None);
    assert_eq!(spelled::optional_async(Some(1)).await, Some(2));
    spelled::unit();
    assert_eq!(spelled::sized::<2, true>([1, 2]), [2, 1]);
    assert_eq!(spelled::pattern((1, 2), &3, [4, 5, 6], ()), 15);
    assert_ended(&recording, "optional", &["success"; 3]);
    assert_succeeded(&recording, &["gen", "labelled", "optional_async", "unit", "sized", "pattern"]);
}
