//! Keeps the arguments and the result that the option `record(…)` names.

use std::fmt::Display;

use super::bounded::bounded;
use super::call_id::CallId;
use super::content::{Content, Contents, Recordable};
use super::guard::Call;
use super::observer;

/// The name of the content of a result.
const RESULT: &str = "result";

/// Gives a prepared call the contents of its arguments. `contents` is not called if nobody keeps them.
#[inline]
pub fn record(mut call: Call, contents: impl FnOnce(Contents) -> Contents) -> Call {
    if observer::wants_content() {
        call.set_contents(contents(Contents::default()));
    }
    call
}

/// Keeps the `Debug` text of the result of the call that the thread is in, cut to this many bytes.
#[inline]
pub fn record_result<T: Recordable + ?Sized>(result: &T, most: usize) {
    if observer::wants_content() {
        observer::record_content(CallId::current(), &Content { name: RESULT, text: result.formatted(most) });
    }
}

/// Like [`record_result`], by the `Display` of the result.
#[inline]
pub fn record_displayed_result<T: Display + ?Sized>(result: &T, most: usize) {
    if observer::wants_content() {
        observer::record_content(CallId::current(), &Content { name: RESULT, text: bounded(result, most) });
    }
}
