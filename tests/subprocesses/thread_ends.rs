//! Tracked calls that a thread makes while it ends, under the process's own subscriber.

use std::cell::Cell;
use std::thread;

use monitor_runtime::logging::Logging;
use monitor_runtime::{context, track_agent, track_skill};
use tracing::info;

use crate::support::log_line::LogLine;
use crate::support::memory::Memory;
use crate::support::subprocess::in_own_process;

#[track_skill("late", fields(n))]
fn late(n: u8) -> Result<u8, String> {
    info!("opened");
    context::bind("bound", n);
    info!("bound");
    Err(format!("late {n}"))
}

#[track_agent("last")]
fn last() {
    late(4).unwrap_err();
    info!("back");
}

/// Calls tracked functions as its thread ends.
struct CallsLast;

impl Drop for CallsLast {
    fn drop(&mut self) {
        late(3).unwrap_err();
        info!("outside");
        last();
    }
}

thread_local! {
    static LAST: Cell<Option<CallsLast>> = const { Cell::new(None) };
}

#[test]
fn lines_of_calls_in_thread_local_destructors_name_the_call() {
    in_own_process(|| {
        let memory = Memory::default();
        let guard = Logging::builder().writer(memory.clone()).init().unwrap();
        thread::spawn(|| {
            // Made before the log keeps anything for the thread, and so dropped after that.
            LAST.set(Some(CallsLast));
            info!("alive");
            last();
        })
        .join()
        .unwrap();
        drop(guard);

        let said = LogLine::read_all(&memory.text()).into_iter().map(|line| {
            let fields = line.fields().into_iter().filter(|(name, _)| *name != "error");
            let fields =
                fields.map(|(name, value)| format!(" {name}={}", value.to_string().trim_matches('"')));
            line.text("event").to_owned() + &fields.collect::<String>()
        });
        let in_agent = [
            "opened agent_id=last skill_id=late n=4",
            "bound agent_id=last skill_id=late n=4 bound=4",
            "skill failed agent_id=last skill_id=late n=4 bound=4",
            "back agent_id=last",
        ];
        let by_itself = [
            "opened skill_id=late n=3",
            "bound skill_id=late n=3 bound=3",
            "skill failed skill_id=late n=3 bound=3",
        ];
        let expected: Vec<_> = [&["alive"][..], &in_agent, &by_itself, &["outside"], &in_agent]
            .into_iter()
            .flatten()
            .copied()
            .collect();
        assert_eq!(said.collect::<Vec<_>>(), expected);
    });
}
