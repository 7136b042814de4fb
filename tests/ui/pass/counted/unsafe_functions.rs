//! Unsafe and `extern` functions count their calls. They are here since the workspace forbids unsafe code.
#![deny(warnings)]
#![deny(unsafe_op_in_unsafe_fn)]

use std::future::Future;
use std::panic::catch_unwind;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use monitor_runtime::{track_agent, track_skill};

/// # Safety
///
/// `number` points to a number.
#[track_agent]
unsafe fn plain(number: *const u8) -> Result<u8, String> {
    match unsafe { *number } {
        0 => Err("zero".to_owned()),
        number => Ok(number),
    }
}

#[track_agent]
async unsafe fn asynchronous(number: &u8) -> u8 {
    std::future::ready(()).await;
    unsafe { plain(number) }.unwrap_or_default()
}

#[track_agent]
unsafe fn future(number: &u8) -> impl Future<Output = u8> + '_ {
    let number = std::ptr::from_ref(number);
    async move { unsafe { *number } }
}

#[track_agent]
unsafe fn boxed(number: &u8) -> Pin<Box<dyn Future<Output = u8> + '_>> {
    Box::pin(unsafe { asynchronous(number) })
}

#[track_agent]
extern "C" fn foreign(number: u8) -> u8 {
    number
}

#[track_agent]
unsafe extern "C" fn unsafe_foreign(number: *const u8) -> u8 {
    unsafe { *number }
}

#[track_agent]
extern "C-unwind" fn unwinding() -> u8 {
    panic!("on purpose")
}

#[track_agent]
#[unsafe(no_mangle)]
pub extern "C" fn monitor_named_below(number: u8) -> u8 {
    number
}

#[unsafe(no_mangle)]
#[track_agent]
pub extern "C" fn monitor_named_above(number: u8) -> u8 {
    number
}

unsafe extern "C" {
    #[link_name = "monitor_named_below"]
    fn linked(number: u8) -> u8;
}

/// A pointer that is `Send` only as a whole, not by its field.
struct Pointer(*const u8);

/// # Safety
///
/// The pointer is valid.
unsafe trait Reads {
    unsafe fn read(&self) -> u8;

    fn is_null(&self) -> bool;
}

#[track_skill]
unsafe impl Reads for Pointer {
    unsafe fn read(&self) -> u8 {
        unsafe { *self.0 }
    }

    fn is_null(&self) -> bool {
        self.0.is_null()
    }
}

#[track_skill]
unsafe impl Send for Pointer {}

impl Pointer {
    #[track_skill]
    async fn is_null_later(self) -> bool {
        std::future::ready(()).await;
        self.0.is_null()
    }
}

#[track_skill]
async fn is_null((pointer, _): (Pointer, u8)) -> bool {
    std::future::ready(()).await;
    pointer.0.is_null()
}

fn is_send<T: Send>(future: T) -> T {
    future
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[track_caller]
fn assert_counted(name: &str, status: &str, count: u8) {
    let scrape = monitor_runtime::metrics::render();
    let kind = if name.contains("null") || name.contains("::") { "skill" } else { "agent" };
    let line = format!("{kind}_executions_total{{{kind}_id=\"{name}\",status=\"{status}\"}} {count}\n");
    assert!(scrape.contains(&line), "no {line}");
}

fn main() {
    assert_eq!(unsafe { plain(&1) }, Ok(1));
    assert!(unsafe { plain(&0) }.is_err());
    assert_eq!(ready(unsafe { asynchronous(&2) }), 2);
    assert_eq!(ready(unsafe { future(&3) }), 3);
    assert_eq!(ready(unsafe { boxed(&4) }), 4);
    assert_eq!(foreign(5), 5);
    assert_eq!(unsafe { unsafe_foreign(&6) }, 6);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    assert!(catch_unwind(|| unwinding()).is_err());
    std::panic::set_hook(hook);
    assert_eq!(monitor_named_above(7), unsafe { linked(7) });
    assert_eq!(unsafe { Pointer(&8).read() }, 8);
    assert!(!Pointer(&9).is_null());
    assert!(!ready(is_send(Pointer(&9).is_null_later())));
    assert!(!ready(is_send(is_null((Pointer(&9), 1)))));

    assert_counted("plain", "success", 3);
    assert_counted("plain", "error", 1);
    assert_counted("asynchronous", "success", 2);
    for name in ["future", "boxed", "foreign", "unsafe_foreign", "monitor_named_below", "monitor_named_above"] {
        assert_counted(name, "success", 1);
    }
    assert_counted("unwinding", "panic", 1);
    for name in ["Pointer::read", "Pointer::is_null", "is_null_later", "is_null"] {
        assert_counted(name, "success", 1);
    }
}
