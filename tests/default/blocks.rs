//! Impl blocks: every method with a body is tracked under its type's name, and other items stay unchanged.

#![allow(clippy::unnecessary_literal_bound, reason = "the form is what is tested")]
#![deny(warnings)]

use std::borrow::Borrow;
use std::fmt::{self, Debug, Display};

use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{track_agent, track_query, track_skill};

/// Asserts that each skill had one call since the recording began, which succeeded.
#[track_caller]
fn assert_succeeded(recording: &Recording, skills: &[&str]) {
    for skill in skills {
        assert_eq!(recording.value("skill_executions_total", &[("skill_id", skill)]), 1.0, "{skill}");
        let labels = [("skill_id", *skill), ("status", "success")];
        assert_eq!(recording.value("skill_executions_total", &labels), 1.0, "{skill}");
    }
}

struct Toolbox<T> {
    items: Vec<T>,
}

#[track_skill(level = "debug")]
impl<T: Clone + Send + Sync> Toolbox<T> {
    const LIMIT: usize = 2;

    fn first(&self) -> Option<&T> {
        self.items.first()
    }

    async fn push(&mut self, item: T) -> &mut Vec<T> {
        tokio::task::yield_now().await;
        self.items.truncate(Self::LIMIT - 1);
        self.items.push(item);
        &mut self.items
    }

    #[track(skip)]
    fn len(&self) -> usize {
        self.items.len()
    }

    #[track("toolbox_clear", fields(len = self.items.len()))]
    fn clear(&mut self) {
        tracing::info!("cleared");
        self.items.clear();
    }

    #[track_agent("toolbox_agent")]
    fn own_attribute(self) -> Vec<T> {
        self.items
    }

    fn without_receiver(items: Vec<T>) -> Self {
        Self { items }
    }
}

#[tokio::test]
async fn methods_of_a_block_are_tracked_by_type_and_method_name() {
    let recording = Recording::start();
    let mut toolbox = Toolbox::without_receiver(vec![1, 2, 3]);
    assert_eq!(toolbox.first(), Some(&1));
    assert_eq!(toolbox.push(9).await, &[1, 9]);
    assert_eq!(toolbox.len(), 2);
    toolbox.clear();
    assert!(toolbox.own_attribute().is_empty());

    let tracked = ["Toolbox::without_receiver", "Toolbox::first", "Toolbox::push", "toolbox_clear"];
    assert_succeeded(&recording, &tracked);
    for left_out in ["Toolbox::len", "Toolbox::clear", "Toolbox::own_attribute", "toolbox_agent"] {
        assert_eq!(recording.value("skill_executions_total", &[("skill_id", left_out)]), 0.0, "{left_out}");
    }
    assert_eq!(recording.value("agent_executions_total", &[("agent_id", "toolbox_agent")]), 1.0);
}

#[test]
fn a_methods_own_options_come_before_those_of_its_block() {
    struct Caller;

    #[track_skill(fields(of = "block"), log_errors = "warn", error_if = |answer: &u8| *answer == 0)]
    impl Caller {
        fn as_the_block(&self) -> u8 {
            let _ = self;
            tracing::info!("inside");
            0
        }

        #[track(fields(of = "method"), ok_if = |answer: &u8| *answer == 0)]
        fn otherwise(&self) -> u8 {
            let _ = self;
            tracing::info!("inside");
            0
        }
    }

    let recording = Recording::start();
    let lines = capture_logs(|| Caller.as_the_block() + Caller.otherwise());
    assert_eq!((&lines[0]["of"], &lines[1]["of"]), (&"block".into(), &"method".into()));
    let error = [("skill_id", "Caller::as_the_block"), ("status", "error")];
    assert_eq!(recording.value("skill_executions_total", &error), 1.0);
    assert_succeeded(&recording, &["Caller::otherwise"]);
}

mod nested {
    pub(crate) struct Deep<'a, T: ?Sized, const N: usize>(pub(crate) &'a T);
}

#[track_skill]
impl<T: ?Sized + Display, const N: usize> nested::Deep<'_, T, N>
where
    T: Debug,
{
    fn shown(&self) -> String {
        format!("{} {N}", self.0)
    }
}

#[track_skill]
impl dyn Named {
    fn greeting(&self) -> String {
        format!("hello {}", self.name())
    }
}

trait Named {
    fn name(&self) -> &str;
}

#[track_skill]
impl Named for &'static str {
    fn name(&self) -> &str {
        self
    }
}

#[track_skill]
impl Named for (u8, Box<[u8]>) {
    fn name(&self) -> &str {
        "pair"
    }
}

#[test]
fn ids_are_without_paths_references_and_generics() {
    let recording = Recording::start();
    assert_eq!(nested::Deep::<_, 2>("text").shown(), "text 2");
    let named: &dyn Named = &"you";
    assert_eq!(named.greeting(), "hello you");
    assert_eq!((1, Box::from([])).name(), "pair");
    assert_succeeded(&recording, &["Deep::shown", "Named::greeting", "str::name", "(u8,Box<[u8]>)::name"]);
}

trait Tool {
    type Input: ?Sized;
    const NAME: &'static str;

    fn call(&self, input: &Self::Input) -> usize;

    fn call_twice(&self, input: &Self::Input) -> usize {
        self.call(input) * 2
    }
}

#[track_skill]
impl<T: Borrow<str>> Tool for Vec<T> {
    type Input = str;
    const NAME: &'static str = "vector";

    fn call(&self, input: &Self::Input) -> usize {
        self.iter().filter(|item| (*item).borrow() == input).count()
    }
}

#[test]
fn a_trait_impl_keeps_its_types_and_constants() {
    let recording = Recording::start();
    assert_eq!(vec!["a", "b"].call_twice("a"), 2);
    assert_eq!(<Vec<String> as Tool>::NAME, "vector");
    assert_succeeded(&recording, &["Vec::call"]);
}

struct Sum(i64);

#[track_query(operation = "insert")]
impl std::ops::AddAssign<i64> for Sum {
    fn add_assign(&mut self, more: i64) {
        self.0 += more;
    }
}

#[track_query(level = "trace")]
impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 { Err(fmt::Error) } else { write!(f, "SELECT {}", self.0) }
    }
}

#[test]
fn an_impl_of_a_foreign_trait_is_tracked_with_its_operation() {
    let recording = Recording::start();
    let mut sum = Sum(1);
    sum += 2;
    assert_eq!(sum.to_string(), "SELECT 3");
    let total = |query, operation| {
        let labels = [("query", query), ("operation", operation), ("status", "success")];
        recording.value("db_queries_total", &labels)
    };
    assert_eq!(total("Sum::add_assign", "insert"), 1.0);
    assert_eq!(total("Sum::fmt", "select"), 1.0);
}

/// Attributes of the block and of its members that would fail or change something if they were lost or moved.
mod kept {
    use super::*;

    pub(crate) struct Kept(pub(crate) u8);

    /// The block's own.
    #[track_skill]
    #[allow(clippy::mixed_attributes_style, non_snake_case)]
    #[rustfmt::skip]
    impl Kept {
        #![allow(clippy::unused_self)]

        /// A constant.
        #[allow(dead_code)]
        const UNUSED: u8 = 1;

        pub(crate) fn NotSnakeCase(&self) -> u8 {
            #![allow(unused_variables)]
            let unused = 1;
            self.0
        }

        #[cfg(not(any()))]
        #[must_use = "it is the answer"]
        #[inline(never)]
        #[track("kept_order")]
        #[doc(hidden)]
        pub(crate) fn attributed(&self, #[allow(unused_variables)] unused: u8) -> u8 {
            2
        }

        #[cfg(any())]
        pub(crate) fn attributed(&self) -> NoSuchType {}

        #[deprecated(note = "use `attributed`")]
        pub(crate) fn old(&self) {}
    }
}

#[test]
fn attributes_of_a_block_and_of_its_members_stay() {
    let recording = Recording::start();
    assert_eq!(kept::Kept(1).NotSnakeCase(), 1);
    assert_eq!(kept::Kept(1).attributed(1), 2);
    #[expect(deprecated, unused_must_use, reason = "asserts that the attributes are there")]
    {
        kept::Kept(1).old();
        kept::Kept(1).attributed(1);
    }
    let labels = [("skill_id", "kept_order"), ("status", "success")];
    assert_eq!(recording.value("skill_executions_total", &labels), 2.0);
    assert_succeeded(&recording, &["Kept::NotSnakeCase", "Kept::old"]);
}

/// Headers in which braces hold a constant, as a path has to be written there.
mod braced {
    use super::*;

    pub(crate) mod size {
        pub(crate) const WIDTH: usize = 3;
    }

    pub(crate) struct Grid<const N: usize>;

    #[track_skill(log_errors = false)]
    impl Grid<{ size::WIDTH }> {
        fn draw(&self) -> Result<(), String> {
            let _ = self;
            Err("out of paint".to_owned())
        }

        #[track(skip)]
        fn left_out(&self) {
            let _ = self;
        }
    }

    trait Paint<const N: usize> {
        fn paint(&self) -> usize;
    }

    #[track_skill]
    impl Paint<{ size::WIDTH + 1 }> for Grid<{ size::WIDTH + 1 }>
    where
        [u8; { size::WIDTH + 1 } - 1]: Sized,
        Grid<{ 1 + 1 }>: Sized,
    {
        fn paint(&self) -> usize {
            size::WIDTH + 1
        }
    }

    trait Coat {
        async fn coat(&self) -> usize;
    }

    #[track_skill]
    impl<const N: usize> Coat for [Grid<N>; size::WIDTH] {
        async fn coat(&self) -> usize {
            N
        }
    }

    macro_rules! whole {
        ($block:item) => {
            #[track_skill]
            $block
        };
    }

    whole! {
        impl Grid<{ size::WIDTH - 1 }> {
            fn of_an_item(&self) -> usize {
                let _ = self;
                size::WIDTH - 1
            }
        }
    }

    #[tokio::test]
    async fn a_block_with_braces_in_its_header_is_tracked() {
        let recording = Recording::start();
        Grid::<3>.draw().unwrap_err();
        Grid::<3>.left_out();
        assert_eq!(Grid::<4>.paint(), 4);
        assert_eq!([Grid::<7>, Grid, Grid].coat().await, 7);
        assert_eq!(Grid::<2>.of_an_item(), 2);
        let error = [("skill_id", "Grid::draw"), ("status", "error")];
        assert_eq!(recording.value("skill_executions_total", &error), 1.0);
        assert_succeeded(&recording, &["Grid::paint", "[Grid<N>;size::WIDTH]::coat", "Grid::of_an_item"]);
        assert_eq!(recording.value("skill_executions_total", &[("skill_id", "Grid::left_out")]), 0.0);
    }
}

mod unnamed {
    use super::*;

    trait Shown {
        fn shown(&self) -> usize;
    }

    #[track_skill]
    impl<T: Display> Shown for &T {
        fn shown(&self) -> usize {
            self.to_string().len()
        }
    }

    #[track_skill]
    impl Shown for *const str {
        fn shown(&self) -> usize {
            usize::from(!self.is_null())
        }
    }

    #[track_skill]
    impl Shown for fn(u8, u8) -> u8 {
        fn shown(&self) -> usize {
            self(1, 1).into()
        }
    }

    #[track_skill]
    impl<T> Shown for [T; 2] {
        fn shown(&self) -> usize {
            self.len()
        }
    }

    #[test]
    fn methods_of_blanket_and_unnamed_types_have_readable_ids() {
        let recording = Recording::start();
        assert_eq!((&12).shown(), 2);
        assert_eq!(std::ptr::from_ref("").shown(), 1);
        assert_eq!((u8::max as fn(u8, u8) -> u8).shown(), 1);
        assert_eq!([1, 2].shown(), 2);
        let ids = ["Shown::shown", "*const str::shown", "fn(u8,u8)->u8::shown", "[T;2]::shown"];
        assert_succeeded(&recording, &ids);
    }
}

struct Store(u8);

#[track_query(prefix = "users")]
impl Store {
    const fn new() -> Self {
        Self(1)
    }

    #[track(operation = "select")]
    fn find(&self) -> u8 {
        self.0
    }

    #[track("all_users")]
    fn all(&self) -> u8 {
        self.0
    }
}

mod tokens {
    pub(crate) struct Store(pub(crate) u8);

    #[super::track_query(prefix = "tokens")]
    impl Store {
        pub(crate) fn find(&self) -> u8 {
            self.0
        }
    }
}

#[test]
fn a_prefix_tells_blocks_of_one_name_apart() {
    let recording = Recording::start();
    let store = Store::new();
    let found = [store.find(), store.all(), tokens::Store(2).find()];
    assert_eq!(found, [1, 1, 2]);
    let counted = |query| recording.value("db_queries_total", &[("query", query)]);
    assert_eq!(
        ["users::Store::find", "all_users", "tokens::Store::find", "Store::find"].map(counted),
        [1.0, 1.0, 1.0, 0.0]
    );
}

#[derive(Debug)]
struct Planner(u8);

#[track_agent]
impl Planner {
    const LIMIT: u8 = 3;

    const fn limit(&self) -> u8 {
        Self::LIMIT - self.0
    }

    fn new(steps: u8) -> Self {
        Self(steps)
    }

    fn with_steps(steps: u8) -> Result<Self, String> {
        if steps > Self::LIMIT { Err(format!("{steps} are too many")) } else { Ok(Self(steps)) }
    }

    fn from_text(text: &str) -> Option<Box<Planner>> {
        text.parse().ok().map(|steps| Box::new(Self(steps)))
    }

    #[track("planner_new_tracked")]
    fn new_tracked() -> Self {
        Self(0)
    }

    async fn new_later() -> Self {
        std::future::ready(()).await;
        Self(0)
    }

    fn new_plan() -> u8 {
        1
    }

    fn new_of(&self) -> Self {
        Self(self.0)
    }
}

#[track_agent]
impl Default for Planner {
    fn default() -> Self {
        Self(1)
    }
}

#[track_agent]
impl From<u8> for Planner {
    fn from(steps: u8) -> Self {
        Self(steps)
    }
}

#[tokio::test]
async fn constructors_and_const_functions_of_a_block_are_left_out() {
    let recording = Recording::start();
    assert_eq!(Planner::new(1).limit(), 2);
    assert!(Planner::with_steps(4).is_err());
    assert!(Planner::from_text("2").is_some());
    assert_eq!(Planner::default().0 + Planner::from(2).0, 3);
    let counted = |agent: &str| recording.value("agent_executions_total", &[("agent_id", agent)]);
    for left_out in ["new", "limit", "with_steps", "from_text", "default", "from"] {
        assert_eq!(counted(&format!("Planner::{left_out}")), 0.0, "{left_out}");
    }

    let planner = Planner::new_tracked();
    assert_eq!(planner.new_of().0 + Planner::new_plan() + Planner::new_later().await.0, 1);
    for tracked in ["planner_new_tracked", "Planner::new_of", "Planner::new_plan", "Planner::new_later"] {
        assert_eq!(counted(tracked), 1.0, "{tracked}");
    }
}
