//! The borrow checker accepts a tracked function as it accepts the plain one, and drops keep their order.

#![allow(clippy::elidable_lifetime_names, reason = "the form is what is tested")]

use std::borrow::Cow;
use std::fmt::Display;

use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

use crate::function_shapes::assert_succeeded;

mod reborrowed {
    use super::*;

    pub(super) struct Text<'a>(pub(super) &'a str);

    impl<'a> Text<'a> {
        #[track_agent]
        pub(super) fn chained(&mut self) -> &mut Self {
            self.0 = "chained";
            self
        }

        #[track_agent]
        pub(super) async fn chained_async(&mut self) -> &mut Self {
            self.0 = "chained async";
            self
        }

        #[track_agent]
        pub(super) async fn field(&mut self) -> &mut &'a str {
            &mut self.0
        }

        #[track_agent]
        pub(super) fn optional(&mut self) -> Option<&mut &'a str> {
            if self.0.is_empty() {
                return None;
            }
            Some(&mut self.0)
        }
    }

    #[track_agent]
    pub(super) fn either<'a>(
        left: &'a mut Vec<u8>,
        right: &'a mut Vec<u8>,
        takes_left: bool,
    ) -> &'a mut Vec<u8> {
        if takes_left {
            left.push(1);
            return left;
        }
        right
    }

    #[track_agent]
    pub(super) async fn either_async<'a>(
        left: &'a mut Vec<u8>,
        right: &'a mut Vec<u8>,
        takes_left: bool,
    ) -> &'a mut Vec<u8> {
        if takes_left {
            left.push(1);
            return left;
        }
        right
    }

    #[track_agent]
    pub(super) fn halves(bytes: &mut [u8]) -> (&mut [u8], &mut [u8]) {
        bytes.split_at_mut(1)
    }

    #[track_agent]
    pub(super) fn each(bytes: &mut [u8]) -> impl Iterator<Item = &mut u8> {
        bytes.iter_mut()
    }

    #[track_agent]
    pub(super) async fn advanced(mut bytes: &mut [u8]) -> &mut u8 {
        bytes = &mut bytes[1..];
        &mut bytes[0]
    }

    #[track_agent]
    #[allow(clippy::mut_mut, reason = "a borrow of a borrow is what is tested")]
    pub(super) async fn shortened(bytes: &mut &mut [u8]) -> usize {
        let taken = std::mem::take(bytes);
        *bytes = &mut taken[1..];
        bytes.len()
    }
}

#[tokio::test]
async fn a_reborrowed_argument_may_be_returned() {
    let recording = Recording::start();
    let mut text = reborrowed::Text("");
    assert!(text.optional().is_none());
    assert_eq!(text.chained().0, "chained");
    assert_eq!(*text.chained_async().await.field().await, "chained async");
    let (mut left, mut right) = (vec![], vec![]);
    reborrowed::either(&mut left, &mut right, true).push(2);
    reborrowed::either_async(&mut left, &mut right, false).await.push(3);
    assert_eq!((&left, &right), (&vec![1, 2], &vec![3]));
    assert_eq!(reborrowed::halves(&mut left).1, [2]);
    reborrowed::each(&mut left).for_each(|byte| *byte += 1);
    *reborrowed::advanced(&mut left).await += 1;
    assert_eq!(left, [2, 4]);
    assert_eq!(reborrowed::shortened(&mut &mut left[..]).await, 1);
    assert_succeeded(
        &recording,
        &[
            "chained",
            "chained_async",
            "field",
            "optional",
            "halves",
            "each",
            "advanced",
            "shortened",
            "either",
            "either_async",
        ],
    );
}

mod local {
    use super::reborrowed::Text;
    use super::*;

    #[track_agent]
    pub(super) async fn into_several(
        mut text: Option<&str>,
        mut bytes: &[u8],
        mut pair: (&str, u8),
    ) -> usize {
        let (own, own_bytes) = (String::from("own"), vec![1]);
        text = text.or(Some(&own));
        if bytes.is_empty() {
            bytes = &own_bytes;
        }
        pair.0 = &own;
        tokio::task::yield_now().await;
        text.map_or(0, str::len) + bytes.len() + pair.0.len()
    }

    #[track_agent]
    pub(super) async fn into_a_generic<T: Default + Display>(mut value: &T) -> String {
        let own = T::default();
        if value.to_string().is_empty() {
            value = &own;
        }
        value.to_string()
    }

    #[track_agent]
    pub(super) async fn into_a_struct(mut text: Text<'_>) -> usize {
        let own = String::from("own");
        if text.0.is_empty() {
            text = Text(&own);
        }
        tokio::task::yield_now().await;
        text.0.len()
    }
}

#[tokio::test]
async fn an_async_function_may_store_a_borrow_in_its_argument() {
    let recording = Recording::start();
    assert_eq!(local::into_several(None, &[], ("", 0)).await, 7);
    assert_eq!(local::into_a_generic(&String::new()).await, "");
    assert_eq!(local::into_a_struct(reborrowed::Text("")).await, 3);
    assert_succeeded(&recording, &["into_several", "into_a_generic", "into_a_struct"]);
}

mod lifetimes {
    use super::*;

    pub(super) struct Held<'a, T: ?Sized>(pub(super) &'a T);

    impl<'a, T: ?Sized> Held<'a, T> {
        #[track_agent]
        pub(super) fn outlives_the_receiver(&self) -> &'a T {
            self.0
        }

        #[track_agent]
        pub(super) async fn both<'b>(&self, other: &'b str) -> (&'a T, &'b str) {
            (self.0, other)
        }

        #[track_agent]
        pub(super) async fn ignores(&self, _: &str) -> &'a T {
            self.0
        }
    }

    #[track_agent]
    pub(super) fn cow(text: &str) -> Cow<'_, str> {
        text.into()
    }

    #[track_agent]
    pub(super) async fn cow_async<'a>(text: &'a str) -> Cow<'a, str> {
        text.into()
    }

    pub(super) trait Lends {
        type Lent<'a>
        where
            Self: 'a;

        fn lend(&mut self) -> Option<Self::Lent<'_>>;
    }

    impl Lends for Vec<u8> {
        type Lent<'a> = &'a mut u8;

        #[track_agent]
        fn lend(&mut self) -> Option<Self::Lent<'_>> {
            self.first_mut()
        }
    }

    #[track_agent]
    pub(super) fn captures_the_type<T: Display>(_text: &str, value: T) -> impl Fn() -> String + use<T> {
        let shown = value.to_string();
        move || shown.clone()
    }

    #[track_agent]
    pub(super) fn captures_nothing(_text: &str) -> impl Future<Output = u8> + use<> {
        async { 1 }
    }
}

#[tokio::test]
async fn return_values_borrow_as_before() {
    use lifetimes::{Held, Lends as _};

    let recording = Recording::start();
    let text = String::from("held");
    let kept = Held(text.as_str()).outlives_the_receiver();
    assert_eq!(Held(kept).both("other").await, ("held", "other"));
    assert_eq!(Held(kept).ignores("").await, "held");
    assert_eq!(lifetimes::cow(&text), lifetimes::cow_async(&text).await);
    vec![1].lend().unwrap();
    let free = {
        let short = String::new();
        (lifetimes::captures_the_type(&short, 1), lifetimes::captures_nothing(&short))
    };
    assert_eq!((free.0(), free.1.await), ("1".to_owned(), 1));
    assert_succeeded(
        &recording,
        &[
            "outlives_the_receiver",
            "both",
            "ignores",
            "cow",
            "cow_async",
            "lend",
            "captures_the_type",
            "captures_nothing",
        ],
    );
}
