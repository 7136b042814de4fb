//! Every form of function that an attribute accepts, called, with its count read back.

#![deny(warnings)]
#![allow(
    clippy::large_types_passed_by_value,
    clippy::needless_pass_by_value,
    clippy::non_minimal_cfg,
    clippy::unused_async,
    reason = "the forms are what is tested"
)]

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use monitor_runtime::testing::Recording;
use monitor_runtime::{track_agent, track_query};

/// Asserts that one call of `agent` ended under `status` since the recording began.
#[track_caller]
fn assert_one(recording: &Recording, agent: &str, status: &str) {
    let labels = [("agent_id", agent), ("status", status)];
    assert_eq!(recording.value("agent_executions_total", &labels), 1.0, "{agent} {status}");
    assert_eq!(recording.value("active_agents", &[("agent_id", agent)]), 0.0, "{agent} in flight");
}

mod returns {
    use super::*;

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
    async fn whatever_a_function_returns_it_returns_tracked() {
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

        for agent in [
            "opaque_in_a_tuple",
            "opaque_on_both_sides",
            "opaque_async",
            "qualified",
            "coerced",
            "coerced_async",
            "closure",
            "elided",
            "elided_async",
            "reborrowed",
            "reborrowed_async",
        ] {
            assert_one(&recording, agent, "success");
        }
        assert_one(&recording, "opaque_on_both_sides", "error");
        assert_one(&recording, "opaque_async", "error");
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
        assert_one(&recording, "never", "panic");
        assert_one(&recording, "never_async", "panic");
        assert_one(&recording, "endless", "cancelled");
    }
}

mod arguments {
    use super::*;

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
    fn conditional(#[cfg(any())] _never: NoSuchType, #[cfg(all())] always: u8, other: u8) -> u8 {
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
        for agent in [
            "patterns",
            "patterns_async",
            "reassigned",
            "opaque",
            "conditional",
            "boxed",
            "shared",
            "pinned",
            "mutable",
        ] {
            assert_one(&recording, agent, "success");
        }
    }
}

mod kinds {
    use super::*;

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
        assert_eq!(1_u8.below("ab").await, Ok(2));
        1_u8.below("").await.unwrap_err();
        assert_eq!(1_u8.above().await, 1);
        assert_eq!(by_macro(), 1);
        assert_eq!(generic::<_, ()>(Ok(&1)).await, Ok(1));
        generic::<u8, _>(Err("asked to")).await.unwrap_err();
        for agent in ["nested", "foreign", "provided", "native", "below", "u8::above", "by_macro", "generic"]
        {
            assert_one(&recording, agent, "success");
        }
        assert_one(&recording, "below", "error");
        assert_one(&recording, "generic", "error");

        assert_eq!(recursive(3), 3);
        assert_eq!(recursive_async(3).await, 3);
        for agent in ["recursive", "recursive_async"] {
            let labels = [("agent_id", agent), ("status", "success")];
            assert_eq!(recording.value("agent_executions_total", &labels), 4.0, "one call a level");
        }
    }

    #[test]
    fn a_tracked_future_is_send_if_the_plain_one_is() {
        fn is_send<T: Send>(future: T) -> T {
            future
        }

        drop(is_send(generic::<u8, String>(Ok(&1))));
        drop(is_send(recursive_async(1)));
    }
}

mod bodies {
    use super::*;

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

    #[tokio::test]
    async fn bodies_of_every_form_run() {
        let recording = Recording::start();
        assert_eq!(inner_attributes(), 1);
        catch_unwind(unfinished).unwrap_err();
        assert_eq!(converted("1").await.unwrap(), 1);
        converted("").await.unwrap_err();
        assert_one(&recording, "inner_attributes", "success");
        assert_one(&recording, "unfinished", "panic");
        assert_one(&recording, "converted", "success");
        assert_one(&recording, "converted", "error");
    }
}

/// Bodies whose type says less than their signature does.
mod promises {
    use super::*;

    #[track_agent]
    fn borrowing_closure() -> impl Fn(&str) -> &str {
        |text| &text[1..]
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
    async fn what_the_signature_promises_reaches_the_body() {
        let recording = Recording::start();
        assert_eq!(borrowing_closure()("abc"), "bc");
        assert_eq!(closure_of_closures()(1)(), 1);
        assert_eq!(future_of_result("1").await.unwrap(), 1);
        future_of_result("").await.unwrap_err();
        assert_eq!(items_of_result(vec![1, 0]).count().await, 2);
        assert_eq!(boxed_unpin(1).await, Ok(1));
        boxed_unpin(0).await.unwrap_err();
        assert_eq!(boxed_stream_unpin(2).count().await, 2);
        for agent in [
            "borrowing_closure",
            "closure_of_closures",
            "future_of_result",
            "boxed_unpin",
            "boxed_stream_unpin",
        ] {
            assert_one(&recording, agent, "success");
        }
        for agent in ["future_of_result", "items_of_result", "boxed_unpin"] {
            assert_one(&recording, agent, "error");
        }
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
        assert_one(&recording, "panics_opaque", "panic");
        assert_one(&recording, "panics_opaque", "success");
    }
}

/// What an id's expression borrows ends before the body begins.
mod ids {
    use std::cell::RefCell;
    use std::sync::Mutex;

    use super::*;

    struct Named(RefCell<String>, Mutex<String>);

    impl Named {
        #[track_agent(id = self.0.borrow().clone())]
        fn renames(&self) {
            self.0.borrow_mut().push('x');
        }
    }

    #[track_agent(id = named.lock().unwrap().clone())]
    async fn locks(named: Arc<Mutex<String>>) {
        tokio::task::yield_now().await;
        named.lock().unwrap().push('x');
    }

    #[track_agent(id = [0_u8; 4_000].map(|_| "x").concat().get(..3).unwrap().to_owned())]
    async fn computes() {
        tokio::task::yield_now().await;
    }

    #[tokio::test]
    async fn an_id_keeps_no_lock_no_memory_and_no_thread() {
        let recording = Recording::start();
        let named = Named(RefCell::new("renamed".to_owned()), Mutex::default());
        named.renames();
        assert_eq!(*named.0.borrow(), "renamedx");
        assert!(named.1.lock().unwrap().is_empty());
        tokio::spawn(locks(Arc::new(Mutex::new("locked".to_owned())))).await.unwrap();
        assert!(size_of_val(&computes()) <= 256, "{} bytes", size_of_val(&computes()));
        computes().await;
        for agent in ["renamed", "locked", "xxx"] {
            assert_one(&recording, agent, "success");
        }
    }
}

#[test]
fn a_return_inside_a_macro_is_judged_like_any_other() {
    macro_rules! ensure {
        ($condition:expr) => {
            if !$condition {
                return Err("not ensured".to_owned());
            }
        };
    }

    #[track_caller]
    #[track_agent]
    fn ensures(holds: bool) -> Result<(), String> {
        ensure!(holds);
        Ok(())
    }

    let recording = Recording::start();
    ensures(true).unwrap();
    ensures(false).unwrap_err();
    assert_one(&recording, "ensures", "success");
    assert_one(&recording, "ensures", "error");
}

#[test]
fn fragments_of_a_macro_are_arguments_like_any_other() {
    macro_rules! query {
        ($name:ident, $operation:literal, $level:literal, $returned:ty, $body:expr) => {
            #[track_query(operation = $operation, level = $level)]
            fn $name() -> $returned {
                $body
            }
        };
    }

    query!(from_fragments, "purge", "debug", Result<u8, String>, Err("asked to".to_owned()));

    let recording = Recording::start();
    from_fragments().unwrap_err();
    let labels = [("query", "from_fragments"), ("operation", "purge"), ("status", "error")];
    assert_eq!(recording.value("db_queries_total", &labels), 1.0);
}

#[test]
fn track_caller_keeps_the_callers_location() {
    use std::panic::Location;

    struct Receiver;

    impl Receiver {
        #[track_caller]
        #[track_agent]
        fn called_from(&self, _unused: String) -> u32 {
            let _ = self;
            Location::caller().line()
        }
    }

    #[track_agent]
    #[track_caller]
    fn fails() -> Result<&'static Location<'static>, &'static Location<'static>> {
        Err(Location::caller())
    }

    #[track_agent]
    #[track_caller]
    fn panics() {
        panic!("on purpose");
    }

    #[track_agent]
    #[track_caller]
    fn of_another_type() -> std::panic::Location<'static> {
        *Location::caller()
    }

    let recording = Recording::start();
    assert_eq!(of_another_type().line(), line!());
    assert_eq!(Receiver.called_from(String::new()), line!());
    assert_eq!(fails().unwrap_err().line(), line!());
    catch_unwind(panics).unwrap_err();
    assert_one(&recording, "called_from", "success");
    assert_one(&recording, "fails", "error");
    assert_one(&recording, "panics", "panic");
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
