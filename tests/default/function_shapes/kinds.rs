//! Kinds of functions that may be tracked.

use std::fmt::Debug;
use std::rc::Rc;

use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

use crate::function_shapes::{assert_ended, assert_succeeded};

#[track_agent]
extern "C" fn foreign(number: u8) -> u8 {
    number
}

trait Native {
    #[track_agent]
    fn provided(&self) -> u8 {
        1
    }

    async fn native(&self) -> u8;
}

impl Native for u8 {
    #[track_agent]
    async fn native(&self) -> u8 {
        tokio::task::yield_now().await;
        *self
    }
}

/// A trait that can be an object.
trait Object {
    #[track_agent]
    fn through_an_object(&self) -> u8 {
        1
    }
}

impl Object for u8 {}

trait Provided {
    fn number(&self) -> u8;

    #[track_agent]
    fn consumed(self) -> u8
    where
        Self: Sized,
    {
        self.number()
    }

    #[track_agent]
    async fn provided_async(&self) -> Result<u8, String>
    where
        Self: Sync,
    {
        Ok(self.number())
    }
}

impl Provided for u8 {
    fn number(&self) -> u8 {
        *self
    }
}

/// Methods that `async_trait` boxes, with our attribute at each position.
#[async_trait::async_trait]
trait Defaults {
    #[track_agent]
    async fn default_below(&self) -> Result<u8, String> {
        tokio::task::yield_now().await;
        Ok(1)
    }
}

impl Defaults for u8 {}

#[async_trait::async_trait]
trait Boxed {
    async fn below(&self, text: &str) -> Result<usize, String>;
}

#[async_trait::async_trait]
impl Boxed for u8 {
    #[track_agent]
    async fn below(&self, text: &str) -> Result<usize, String> {
        tokio::task::yield_now().await;
        if text.is_empty() { Err("empty".to_owned()) } else { Ok(text.len()) }
    }
}

#[async_trait::async_trait(?Send)]
trait Local {
    async fn above(&self) -> u8;
}

#[track_agent]
#[async_trait::async_trait(?Send)]
impl Local for u8 {
    async fn above(&self) -> u8 {
        *self
    }
}

#[async_trait::async_trait(?Send)]
#[track_agent]
impl Local for u16 {
    async fn above(&self) -> u8 {
        let kept = Rc::new(1);
        tokio::task::yield_now().await;
        *kept
    }
}

#[async_trait::async_trait]
trait Generic<T> {
    async fn fallible(&self, value: T) -> Result<T, String>;
}

#[async_trait::async_trait]
#[track_agent]
impl<T: Send + Sync + PartialEq + 'static> Generic<T> for Vec<T> {
    async fn fallible(&self, value: T) -> Result<T, String> {
        tokio::task::yield_now().await;
        if self.contains(&value) { Ok(value) } else { Err("unknown".to_owned()) }
    }
}

macro_rules! made {
    ($visibility:vis $name:ident $body:block) => {
        #[track_agent]
        $visibility fn $name() -> u8 $body
    };
}

made!(pub(super) by_macro { 1 });

#[track_agent]
fn recursive(depth: u8) -> u8 {
    if depth == 0 { 0 } else { recursive(depth - 1) + 1 }
}

#[track_agent]
async fn recursive_async(depth: u8) -> u8 {
    if depth == 0 { 0 } else { Box::pin(recursive_async(depth - 1)).await + 1 }
}

#[track_agent]
async fn generic<T: Clone, E>(result: Result<&T, E>) -> Result<T, E>
where
    E: Debug,
{
    result.cloned()
}

#[tokio::test]
async fn functions_of_every_kind_are_tracked() {
    #[track_agent]
    fn nested() {}

    let recording = Recording::start();
    nested();
    assert_eq!(foreign(1), 1);
    assert_eq!(1_u8.provided(), 1);
    assert_eq!(1_u8.native().await, 1);
    assert_eq!(by_macro(), 1);
    assert_eq!(generic::<_, ()>(Ok(&1)).await, Ok(1));
    generic::<u8, _>(Err("asked to")).await.unwrap_err();
    assert_succeeded(&recording, &["nested", "foreign", "provided", "native", "by_macro"]);
    assert_ended(&recording, "generic", &["success", "error"]);

    assert_eq!(recursive(3), 3);
    assert_eq!(recursive_async(3).await, 3);
    for agent in ["recursive", "recursive_async"] {
        assert_ended(&recording, agent, &["success"; 4]);
    }
}

#[tokio::test]
async fn methods_that_a_trait_provides_are_tracked() {
    let recording = Recording::start();
    assert_eq!(1_u8.consumed(), 1);
    let object: &dyn Object = &1_u8;
    assert_eq!(object.through_an_object(), 1);
    assert_eq!(1_u8.provided_async().await, Ok(1));
    assert_succeeded(&recording, &["consumed", "through_an_object", "provided_async"]);
}

#[tokio::test]
async fn async_trait_may_stand_above_and_below() {
    let recording = Recording::start();
    assert_eq!(1_u8.below("ab").await, Ok(2));
    1_u8.below("").await.unwrap_err();
    assert_eq!(1_u8.default_below().await, Ok(1));
    assert_eq!(1_u8.above().await, 1);
    assert_eq!(1_u16.above().await, 1);
    assert_eq!(vec![1].fallible(1).await, Ok(1));
    vec![1].fallible(2).await.unwrap_err();
    // A call that `async_trait` boxed is one from its first poll, like any other.
    drop(vec![1].fallible(2));
    assert_succeeded(&recording, &["default_below", "u8::above", "u16::above"]);
    assert_ended(&recording, "below", &["success", "error"]);
    assert_ended(&recording, "Vec::fallible", &["success", "error"]);
}

#[test]
fn a_tracked_future_is_send_if_the_plain_one_is() {
    fn is_send<T: Send>(future: T) -> T {
        future
    }

    drop(is_send(generic::<u8, String>(Ok(&1))));
    drop(is_send(recursive_async(1)));
    drop(is_send(vec![1].fallible(1)));
}
