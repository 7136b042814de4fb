//! Arguments that a tracked function may take.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

use crate::function_shapes::assert_succeeded;

struct Pair {
    left: u8,
    right: String,
}

#[track_agent(fields(first = a, right = %right))]
fn patterns(
    mut a: u8,
    (mut b, _): (u8, u8),
    [c, ..]: [u8; 3],
    _: String,
    Pair { left, ref right }: Pair,
) -> usize {
    a += 1;
    b += 1;
    usize::from(a + b + c + left) + right.len()
}

#[track_agent]
async fn patterns_async(
    mut a: u8,
    (b, _): (u8, u8),
    [c, .., d]: [u8; 3],
    Pair { left, right: text }: Pair,
) -> usize {
    a += 1;
    tokio::task::yield_now().await;
    usize::from(a + b + c + d + left) + text.len()
}

#[track_agent]
async fn reassigned(mut text: &str) -> usize {
    let local = String::from("default");
    if text.is_empty() {
        text = &local;
    }
    tokio::task::yield_now().await;
    text.len()
}

#[track_agent]
async fn reassigned_inside((mut text, _length): (&str, u8)) -> usize {
    let local = String::from("default");
    text = if text.is_empty() { &local } else { text };
    tokio::task::yield_now().await;
    text.len()
}

#[track_agent]
async fn opaque(items: impl Iterator<Item = u8>, map: impl for<'a> Fn(&'a str) -> &'a str) -> usize {
    items.count() + map("ab").len()
}

#[track_agent]
fn conditional(#[cfg(any())] _never: NoSuchType, #[cfg(not(any()))] always: u8, other: u8) -> u8 {
    always + other
}

#[derive(Clone)]
struct Receiver(u8);

impl Receiver {
    #[track_agent]
    fn boxed(self: Box<Self>) -> u8 {
        self.0
    }

    #[track_agent]
    async fn shared(self: Arc<Self>) -> u8 {
        self.0
    }

    #[track_agent]
    async fn pinned(self: Pin<&mut Self>) -> u8 {
        self.0
    }

    #[track_agent]
    fn mutable(mut self) -> u8 {
        self.0 += 1;
        self.0
    }
}

#[tokio::test]
async fn arguments_of_every_form_arrive() {
    let recording = Recording::start();
    let pair = || Pair { left: 1, right: "ab".to_owned() };
    assert_eq!(patterns(1, (1, 1), [1; 3], String::new(), pair()), 8);
    assert_eq!(patterns_async(1, (1, 1), [1; 3], pair()).await, 8);
    assert_eq!(reassigned("").await, 7);
    assert_eq!(reassigned_inside(("", 0)).await, 7);
    assert_eq!(opaque([1].into_iter(), |text| &text[1..]).await, 2);
    assert_eq!(conditional(1, 2), 3);
    let mut receiver = Receiver(1);
    assert_eq!(Box::new(receiver.clone()).boxed(), 1);
    assert_eq!(Arc::new(receiver.clone()).shared().await, 1);
    assert_eq!(Pin::new(&mut receiver).pinned().await, 1);
    assert_eq!(receiver.mutable(), 2);
    assert_succeeded(
        &recording,
        &[
            "patterns",
            "patterns_async",
            "reassigned",
            "reassigned_inside",
            "opaque",
            "conditional",
            "boxed",
            "shared",
            "pinned",
            "mutable",
        ],
    );
}

#[test]
fn arguments_of_an_or_pattern_keep_their_drop_order() {
    use std::cell::RefCell;

    thread_local! {
        static DROPPED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }

    struct Noted(&'static str);

    impl Noted {
        fn touch(&self) {
            assert!(!self.0.is_empty());
        }
    }

    impl Drop for Noted {
        fn drop(&mut self) {
            DROPPED.with_borrow_mut(|dropped| dropped.push(self.0));
        }
    }

    fn plain(b: Noted, (Ok(a) | Err(a)): Result<Noted, Noted>) {
        b.touch();
        a.touch();
    }

    #[track_agent]
    fn or_pattern(b: Noted, (Ok(a) | Err(a)): Result<Noted, Noted>) {
        b.touch();
        a.touch();
    }

    #[track_agent]
    async fn or_pattern_later(b: Noted, (Ok(a) | Err(a)): Result<Noted, Noted>) {
        b.touch();
        a.touch();
    }

    let recording = Recording::start();
    plain(Noted("b"), Ok(Noted("a")));
    let expected = DROPPED.take();
    assert_eq!(expected, ["a", "b"]);
    or_pattern(Noted("b"), Err(Noted("a")));
    assert_eq!(DROPPED.take(), expected);
    or_pattern_later(Noted("b"), Ok(Noted("a"))).now_or_never();
    assert_eq!(DROPPED.take(), expected);
    assert_succeeded(&recording, &["or_pattern", "or_pattern_later"]);
}
