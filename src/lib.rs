//! The integration tests and examples of `monitor-runtime` live in this package; it has no API.
//!
//! What it does have are doctests: every Rust block of the README and of the guide is compiled, and run where it can be.

/// One documented item a page, so that a failing block is reported under its page's name.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}

    #[doc = include_str!("../docs/architecture.md")]
    mod architecture {}

    #[doc = include_str!("../docs/attributes.md")]
    mod attributes {}

    #[doc = include_str!("../docs/benchmarks.md")]
    mod benchmarks {}

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

    #[doc = include_str!("../docs/scaling.md")]
    mod scaling {}
}
