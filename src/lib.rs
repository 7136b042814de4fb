//! The integration tests and examples of `monitor-runtime` live in this package; it has no API.
//!
//! What it does have are doctests: every Rust block of the README and of the guide is compiled, and run where it can be.

/// One documented item a page, so that a failing block is reported under its page's name.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}

    #[doc = include_str!("../monitor-runtime/README.md")]
    mod readme_of_the_crate {}

    #[doc = include_str!("../docs/architecture.md")]
    mod architecture {}

    #[doc = include_str!("../docs/attributes.md")]
    mod attributes {}

    #[doc = include_str!("../docs/benchmarks.md")]
    mod benchmarks {}

    #[doc = include_str!("../docs/dashboard.md")]
    mod dashboard {}

    #[doc = include_str!("../docs/database_clients.md")]
    mod database_clients {}

    #[doc = include_str!("../docs/from_autometrics.md")]
    mod from_autometrics {}

    #[doc = include_str!("../docs/from_tracing_and_metrics.md")]
    mod from_tracing_and_metrics {}

    #[doc = include_str!("../docs/getting_started.md")]
    mod getting_started {}

    #[doc = include_str!("../docs/health.md")]
    mod health {}

    #[doc = include_str!("../docs/log_shipping.md")]
    mod log_shipping {}

    #[doc = include_str!("../docs/logging.md")]
    mod logging {}

    #[doc = include_str!("../docs/metrics.md")]
    mod metrics {}

    #[doc = include_str!("../docs/models.md")]
    mod models {}

    #[doc = include_str!("../docs/monitoring_setup.md")]
    mod monitoring_setup {}

    #[doc = include_str!("../docs/opentelemetry.md")]
    mod opentelemetry {}

    #[doc = include_str!("../docs/other_attributes.md")]
    mod other_attributes {}

    #[doc = include_str!("../docs/platforms.md")]
    mod platforms {}

    #[doc = include_str!("../docs/runs.md")]
    mod runs {}

    #[doc = include_str!("../docs/scaling.md")]
    mod scaling {}
}

/// Crates of earlier editions, whose rules hold in a tracked body as in a plain one.
///
/// ```edition2021
/// use std::cell::RefCell;
///
/// type Said = RefCell<Vec<&'static str>>;
///
/// struct Says<'a>(&'a Said, &'static str);
///
/// impl Says<'_> {
///     fn number(&self) -> u8 {
///         1
///     }
/// }
///
/// impl Drop for Says<'_> {
///     fn drop(&mut self) {
///         self.0.borrow_mut().push(self.1);
///     }
/// }
///
/// macro_rules! twins {
///     ($plain:ident $tracked:ident $($keyword:ident)?) => {
///         $($keyword)? fn $plain(said: &Said, _owned: String) -> u8 {
///             let _local = Says(said, "local");
///             Says(said, "temporary").number()
///         }
///
///         #[monitor_runtime::track_agent]
///         $($keyword)? fn $tracked(said: &Said, _owned: String) -> u8 {
///             let _local = Says(said, "local");
///             Says(said, "temporary").number()
///         }
///     };
/// }
///
/// twins!(plain tracked);
/// twins!(plain_async tracked_async async);
///
/// #[tokio::main]
/// async fn main() {
///     let [plain, tracked] = [RefCell::default(), RefCell::default()];
///     assert_eq!(plain_async(&plain, String::new()).await, tracked_async(&tracked, String::new()).await);
///     assert_eq!(self::plain(&plain, String::new()), self::tracked(&tracked, String::new()));
///     assert_eq!(plain.take(), ["local", "temporary", "local", "temporary"]);
///     assert_eq!(tracked.take(), ["local", "temporary", "local", "temporary"]);
/// }
/// ```
#[cfg(doctest)]
mod earlier_editions {}
