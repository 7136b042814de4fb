//! Uses beside another crate's attribute that do not compile, each as a doctest; `tests/` has those that do.

/// ```compile_fail,E0277
/// #[monitor_runtime::track_skill]
/// #[culpa::throws(std::num::ParseIntError)]
/// fn number(text: &str) -> u32 {
///     text.parse()?
/// }
/// ```
pub mod culpa_below_ours {}

/// ```compile_fail,E0308
/// #[monitor_runtime::track_skill]
/// #[tailcall::tailcall]
/// fn sum(n: u32, so_far: u32) -> u32 {
///     if n == 0 { so_far } else { tailcall::call! { sum(n - 1, so_far + n) } }
/// }
/// ```
pub mod tailcall_below_ours {}

/// ```compile_fail,E0658
/// #[mockall::automock]
/// trait Tool {
///     #[monitor_runtime::track_skill]
///     fn run(&self) -> u32 {
///         1
///     }
/// }
/// ```
pub mod mockall_above_ours {}

/// ```compile_fail
/// #[monitor_runtime::track_skill]
/// #[mockall::automock]
/// trait Tool {
///     fn run(&self) -> u32;
/// }
/// ```
pub mod a_trait {}
