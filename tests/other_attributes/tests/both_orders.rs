//! Each module is a row of `docs/other_attributes.md`: our attribute above another crate's, and below it. The counts show
//! that the body ran as often as without ours.

#![allow(
    clippy::unused_async,
    clippy::unnecessary_wraps,
    clippy::redundant_else,
    reason = "what is tried is the attributes, not the bodies"
)]

use monitor_runtime::testing::Recording;

/// Calls of a skill by outcome since the recording began: successes and errors.
fn counted(recording: &Recording, id: &str) -> [f64; 2] {
    ["success", "error"]
        .map(|status| recording.value("skill_executions_total", &[("skill_id", id), ("status", status)]))
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

mod async_recursion {
    use super::{Recording, block_on, counted};
    use monitor_runtime::track_skill;

    #[track_skill("recursion_above")]
    #[async_recursion::async_recursion]
    async fn above(n: u32) -> Result<u32, String> {
        if n == 0 { Err("zero".to_owned()) } else { Ok(above(n - 1).await.unwrap_or(n)) }
    }

    #[async_recursion::async_recursion]
    #[track_skill("recursion_below")]
    async fn below(n: u32) -> Result<u32, String> {
        if n == 0 { Err("zero".to_owned()) } else { Ok(below(n - 1).await.unwrap_or(n)) }
    }

    #[test]
    fn async_recursion_is_counted_in_both_orders() {
        let recording = Recording::start();
        block_on(async { above(2).await.and(below(2).await) }).unwrap();
        assert_eq!(counted(&recording, "recursion_above"), [2.0, 1.0]);
        assert_eq!(counted(&recording, "recursion_below"), [2.0, 1.0]);
    }
}

mod async_trait {
    use super::{Recording, block_on, counted};
    use monitor_runtime::track_skill;

    #[async_trait::async_trait]
    trait Tool {
        async fn run(&self) -> Result<u32, String>;
    }

    struct Above;

    #[track_skill]
    #[async_trait::async_trait]
    impl Tool for Above {
        async fn run(&self) -> Result<u32, String> {
            Err("no".to_owned())
        }
    }

    struct Below;

    #[async_trait::async_trait]
    impl Tool for Below {
        #[track_skill("Below::run")]
        async fn run(&self) -> Result<u32, String> {
            Err("no".to_owned())
        }
    }

    #[test]
    fn async_trait_is_counted_in_both_orders() {
        let recording = Recording::start();
        block_on(async { (Above.run().await, Below.run().await) }).0.unwrap_err();
        assert_eq!(counted(&recording, "Above::run"), [0.0, 1.0]);
        assert_eq!(counted(&recording, "Below::run"), [0.0, 1.0]);
    }
}

mod auto_impl {
    use super::{Recording, counted};
    use monitor_runtime::track_skill;

    #[auto_impl::auto_impl(&)]
    trait Tool {
        #[track_skill("auto_impl_below")]
        fn run(&self) -> u32 {
            1
        }
    }

    struct One;
    impl Tool for One {}

    fn run(tool: impl Tool) -> u32 {
        tool.run()
    }

    #[test]
    fn auto_impl_above_is_counted_once() {
        let recording = Recording::start();
        assert_eq!(run(&One), 1);
        assert_eq!(counted(&recording, "auto_impl_below"), [1.0, 0.0]);
    }
}

mod debug_handler {
    use super::{Recording, block_on, counted};
    use monitor_runtime::track_skill;

    #[track_skill("handler_above")]
    #[axum::debug_handler]
    async fn above(body: String) -> Result<String, String> {
        Ok(body)
    }

    #[axum::debug_handler]
    #[track_skill("handler_below")]
    async fn below(body: String) -> Result<String, String> {
        Err(body)
    }

    #[test]
    fn debug_handler_is_counted_in_both_orders() {
        let recording = Recording::start();
        block_on(async { (above(String::new()).await, below(String::new()).await) }).0.unwrap();
        assert_eq!(counted(&recording, "handler_above"), [1.0, 0.0]);
        assert_eq!(counted(&recording, "handler_below"), [0.0, 1.0]);
    }
}

mod bon {
    use super::{Recording, counted};
    use monitor_runtime::track_skill;

    #[track_skill("bon_above")]
    #[bon::builder]
    fn above(n: u32) -> u32 {
        n
    }

    #[bon::builder]
    #[track_skill("bon_below")]
    fn below(n: u32) -> u32 {
        n
    }

    #[test]
    fn bon_is_counted_in_both_orders() {
        let recording = Recording::start();
        assert_eq!(above().n(1).call() + below().n(2).call(), 3);
        assert_eq!(counted(&recording, "bon_above"), [1.0, 0.0]);
        assert_eq!(counted(&recording, "bon_below"), [1.0, 0.0]);
    }
}

mod cached {
    use super::{Recording, counted};
    use monitor_runtime::track_skill;

    #[track_skill("cached_above")]
    #[cached::cached]
    fn above(n: u32) -> u32 {
        n
    }

    #[cached::cached]
    #[track_skill("cached_below")]
    fn below(n: u32) -> u32 {
        n
    }

    #[test]
    fn cached_is_counted_by_misses_above_and_twice_below() {
        let recording = Recording::start();
        assert_eq!(above(1) + above(1) + below(1) + below(1), 4);
        assert_eq!(counted(&recording, "cached_above"), [1.0, 0.0]);
        assert_eq!(counted(&recording, "cached_below"), [3.0, 0.0]);
    }
}

mod contracts {
    use super::{Recording, counted};
    use monitor_runtime::track_skill;

    #[track_skill("contracts_above")]
    #[contracts::ensures(ret > n)]
    fn above(n: u32) -> u32 {
        n + 1
    }

    #[contracts::ensures(ret > n)]
    #[track_skill("contracts_below")]
    fn below(n: u32) -> u32 {
        n + 1
    }

    struct Counter(u32);

    impl Counter {
        #[track_skill("contracts_method_above")]
        #[contracts::ensures(self.0 > 0)]
        fn count(&mut self) {
            self.0 += 1;
        }

        #[contracts::ensures(self.0 > 0)]
        #[track_skill("contracts_method_below")]
        fn add(&mut self) {
            self.0 += 1;
        }
    }

    #[test]
    fn contracts_are_counted_in_both_orders() {
        let recording = Recording::start();
        let mut counter = Counter(0);
        counter.count();
        counter.add();
        assert_eq!(above(1) + below(1), 4);
        assert_eq!(counted(&recording, "contracts_above"), [1.0, 0.0]);
        assert_eq!(counted(&recording, "contracts_below"), [1.0, 0.0]);
        assert_eq!(counted(&recording, "contracts_method_above"), [1.0, 0.0]);
        assert_eq!(counted(&recording, "contracts_method_below"), [1.0, 0.0]);
    }
}

mod culpa {
    use super::{Recording, counted};
    use monitor_runtime::track_skill;

    #[culpa::throws(std::num::ParseIntError)]
    #[track_skill("culpa_below")]
    fn below(text: &str) -> u32 {
        text.parse()?
    }

    #[test]
    fn culpa_is_counted_below() {
        let recording = Recording::start();
        below("1").unwrap();
        below("one").unwrap_err();
        assert_eq!(counted(&recording, "culpa_below"), [1.0, 1.0]);
    }
}

mod duplicate {
    use super::{Recording, counted};
    use monitor_runtime::track_skill;

    #[duplicate::duplicate_item(name; [first]; [second])]
    #[track_skill]
    fn name() -> u32 {
        1
    }

    #[track_skill]
    #[duplicate::duplicate_item(shared; [third]; [fourth])]
    fn shared() -> u32 {
        1
    }

    #[test]
    fn duplicates_share_an_id_above_and_have_their_own_below() {
        let recording = Recording::start();
        assert_eq!(first() + second() + third() + fourth(), 4);
        assert_eq!(counted(&recording, "shared"), [2.0, 0.0]);
        assert_eq!(counted(&recording, "first"), [1.0, 0.0]);
        assert_eq!(counted(&recording, "second"), [1.0, 0.0]);
    }
}

mod fastrace {
    use super::{Recording, block_on, counted};
    use monitor_runtime::track_skill;

    #[track_skill("fastrace_above")]
    #[fastrace::trace]
    async fn above() -> Result<u32, String> {
        Err("no".to_owned())
    }

    #[fastrace::trace]
    #[track_skill("fastrace_below")]
    async fn below() -> Result<u32, String> {
        Err("no".to_owned())
    }

    #[test]
    fn fastrace_is_counted_in_both_orders() {
        let recording = Recording::start();
        block_on(async { (above().await, below().await) }).0.unwrap_err();
        assert_eq!(counted(&recording, "fastrace_above"), [0.0, 1.0]);
        assert_eq!(counted(&recording, "fastrace_below"), [0.0, 1.0]);
    }
}

mod instrument {
    use super::{Recording, block_on, counted};
    use monitor_runtime::track_skill;

    #[track_skill("instrument_above")]
    #[tracing::instrument(err)]
    async fn above(n: u32) -> Result<u32, String> {
        Err(n.to_string())
    }

    #[tracing::instrument(err)]
    #[track_skill("instrument_below")]
    async fn below(n: u32) -> Result<u32, String> {
        Err(n.to_string())
    }

    #[test]
    fn instrument_is_counted_in_both_orders() {
        let recording = Recording::start();
        block_on(async { (above(1).await, below(1).await) }).0.unwrap_err();
        assert_eq!(counted(&recording, "instrument_above"), [0.0, 1.0]);
        assert_eq!(counted(&recording, "instrument_below"), [0.0, 1.0]);
    }
}

mod macro_rules_attribute {
    use std::cell::Cell;

    use super::{Recording, counted};
    use macro_rules_attribute::apply;
    use monitor_runtime::track_skill;

    thread_local! {
        static AFTER: Cell<u32> = const { Cell::new(0) };
    }

    macro_rules! wrap {
        ($(#[$attribute:meta])* fn $name:ident() -> $result:ty $body:block) => {
            $(#[$attribute])*
            fn $name() -> $result {
                let result = $body;
                AFTER.set(AFTER.get() + 1);
                result
            }
        };
    }

    #[track_skill("apply_above")]
    #[apply(wrap)]
    fn above() -> u32 {
        1
    }

    #[apply(wrap)]
    #[track_skill("apply_below")]
    fn below() -> u32 {
        1
    }

    #[test]
    fn macro_rules_attributes_run_their_code_in_both_orders() {
        let recording = Recording::start();
        assert_eq!(above() + below(), 2);
        assert_eq!(AFTER.get(), 2);
        assert_eq!(counted(&recording, "apply_above"), [1.0, 0.0]);
        assert_eq!(counted(&recording, "apply_below"), [1.0, 0.0]);
    }
}

mod maybe_async {
    use super::{Recording, block_on, counted};
    use monitor_runtime::track_skill;

    #[track_skill("maybe_above")]
    #[maybe_async::maybe_async]
    async fn above() -> Result<u32, String> {
        Err("no".to_owned())
    }

    #[maybe_async::maybe_async]
    #[track_skill("maybe_below")]
    async fn below() -> Result<u32, String> {
        Err("no".to_owned())
    }

    #[test]
    fn maybe_async_is_counted_in_both_orders() {
        let recording = Recording::start();
        block_on(async { (above().await, below().await) }).0.unwrap_err();
        assert_eq!(counted(&recording, "maybe_above"), [0.0, 1.0]);
        assert_eq!(counted(&recording, "maybe_below"), [0.0, 1.0]);
    }
}

mod property_test {
    use super::{Recording, counted};
    use monitor_runtime::track_skill;

    #[track_skill("proptest_above")]
    #[proptest::property_test(config = proptest::test_runner::Config::with_cases(4))]
    fn above(n: u8) {
        assert!(u32::from(n) < 256);
    }

    #[proptest::property_test(config = proptest::test_runner::Config::with_cases(4))]
    #[track_skill("proptest_below")]
    fn below(n: u8) {
        assert!(u32::from(n) < 256);
    }

    #[test]
    fn a_property_test_is_counted_by_cases_above_and_once_below() {
        let recording = Recording::start();
        above();
        below();
        // Both are tests of their own too, which may run meanwhile: at most one more call of each.
        assert!(counted(&recording, "proptest_above")[0] >= 4.0);
        assert!((1.0..=2.0).contains(&counted(&recording, "proptest_below")[0]));
    }
}

mod tailcall {
    use super::{Recording, counted};
    use monitor_runtime::track_skill;

    #[tailcall::tailcall]
    #[track_skill("tailcall_below")]
    fn below(n: u32, sum: u32) -> u32 {
        if n == 0 {
            sum
        } else {
            tailcall::call! { below(n - 1, sum + n) }
        }
    }

    #[test]
    fn tailcall_above_counts_the_outer_call() {
        let recording = Recording::start();
        assert_eq!(below(3, 0), 6);
        assert_eq!(counted(&recording, "tailcall_below"), [1.0, 0.0]);
    }
}

mod trait_variant {
    use super::{Recording, block_on, counted};
    use monitor_runtime::track_skill;

    #[allow(dead_code, reason = "only its variant is implemented")]
    #[trait_variant::make(SendTool: Send)]
    trait Tool {
        async fn run(&self) -> Result<u32, String>;
    }

    struct Search;

    #[track_skill]
    impl SendTool for Search {
        async fn run(&self) -> Result<u32, String> {
            Err("no".to_owned())
        }
    }

    #[test]
    fn an_implementation_of_a_trait_variant_is_counted() {
        let recording = Recording::start();
        block_on(SendTool::run(&Search)).unwrap_err();
        assert_eq!(counted(&recording, "Search::run"), [0.0, 1.0]);
    }
}

/// Attributes of test frameworks: each test is a call, below and above.
mod tests {
    use monitor_runtime::track_skill;

    #[track_skill]
    #[rstest::rstest]
    #[case(1)]
    fn rstest_below(#[case] n: u32) {
        assert_eq!(n, 1);
    }

    #[rstest::rstest]
    #[case(1)]
    #[track_skill]
    fn rstest_above(#[case] n: u32) {
        assert_eq!(n, 1);
    }

    #[track_skill]
    #[test_case::test_case(1)]
    fn test_case_below(n: u32) {
        assert_eq!(n, 1);
    }

    #[test_case::test_case(1)]
    #[track_skill]
    fn test_case_above(n: u32) {
        assert_eq!(n, 1);
    }

    #[track_skill]
    #[test]
    #[serial_test::serial]
    fn serial_below() {}

    #[test]
    #[serial_test::serial]
    #[track_skill]
    fn serial_above() {}

    #[track_skill]
    #[tokio::test]
    async fn tokio_below() {
        tokio::task::yield_now().await;
    }

    #[tokio::test]
    #[track_skill]
    async fn tokio_above() {
        tokio::task::yield_now().await;
    }
}

/// Every row of the page has its attribute here, or among the examples of this package that do not compile.
#[test]
fn the_page_names_what_is_tried_here_and_nothing_else() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let tried = read("tests/both_orders.rs") + &read("src/lib.rs");
    let page = read("../../docs/other_attributes.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let attributes: Vec<_> =
        rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    assert!(attributes.len() > 15, "the table is not read any more: {attributes:?}");
    for attribute in attributes {
        let name = attribute.rsplit("::").next().unwrap();
        let is_tried = tried.contains(&format!("#[{attribute}")) || tried.contains(&format!("#[{name}("));
        assert!(is_tried, "{attribute} is not tried");
    }
}
