//! Source locations: the body of a tracked function reports the same ones as an untracked one.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Mutex;

use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

use crate::function_shapes::assert_ended;

#[test]
fn track_caller_keeps_the_callers_location() {
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

    #[track_agent]
    #[track_caller]
    fn compares(number: u8, is_odd: bool) -> Result<u32, String> {
        let line = Location::caller().line();
        if number != 1 && !is_odd { Err(line.to_string()) } else { Ok(line) }
    }

    let recording = Recording::start();
    assert_eq!(compares(1, true), Ok(line!()));
    assert_eq!(of_another_type().line(), line!());
    assert_eq!(Receiver.called_from(String::new()), line!());
    assert_eq!(fails().unwrap_err().line(), line!());
    catch_unwind(panics).unwrap_err();
    assert_ended(&recording, "called_from", &["success"]);
    assert_ended(&recording, "fails", &["error"]);
    assert_ended(&recording, "panics", &["panic"]);
}

/// A line, a column and who called, as seen from a body.
type Place = (u32, u32, &'static Location<'static>);

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

/// The same function twice, on the same tokens: plain and tracked.
macro_rules! twins {
    ($plain:ident, $tracked:ident, $($signature:ident)+, $returned:ty, $body:block) => {
        $($signature)+ $plain() -> $returned $body
        #[track_agent]
        $($signature)+ $tracked() -> $returned $body
    };
}

twins!(plain, in_a_closure, fn, Place, { (line!(), column!(), here()) });
twins!(plain_async, in_a_block, async fn, Place, { (line!(), column!(), here()) });

#[tokio::test]
async fn lines_and_columns_in_a_body_are_those_of_the_source() {
    assert_eq!(plain(), in_a_closure());
    assert_eq!(plain_async().await, in_a_block().await);
    assert_eq!(in_a_block().await.2.file(), file!());
}

#[test]
fn a_panic_is_located_where_the_body_panics() {
    #[track_agent]
    fn panics_at(at: &Cell<u32>) -> Result<u8, String> {
        at.set(line!() + 1);
        panic!("on purpose");
    }

    static LINE: Mutex<Option<u32>> = Mutex::new(None);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.location().is_some_and(|location| location.file() == file!())
            && std::thread::current().name()
                == Some("function_shapes::locations::a_panic_is_located_where_the_body_panics")
        {
            *LINE.lock().unwrap() = panic.location().map(Location::line);
        }
        before(panic);
    }));
    let at = Cell::new(0);
    catch_unwind(AssertUnwindSafe(|| panics_at(&at))).unwrap_err();
    assert_eq!(*LINE.lock().unwrap(), Some(at.get()));
}
