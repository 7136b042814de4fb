//! The attributes in a crate of the 2021 edition, where the temporaries of a body's last expression outlive its variables.

#![deny(warnings)]

use monitor_runtime::testing::capture_logs;
use monitor_runtime::track_skill;

/// Says that it is dropped, by a line that carries the call's id if it is a part of the call.
struct Says(&'static str);

impl Says {
    fn length(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Says {
    fn drop(&mut self) {
        tracing::info!("{}", self.0);
    }
}

#[track_skill("tail")]
fn tail() -> usize {
    let local = Says("local");
    Says("temporary").length() + local.length()
}

#[track_skill("tail")]
fn result() -> Result<usize, String> {
    let local = Says("local");
    Ok(Says("temporary").length() + local.length())
}

#[track_skill("tail")]
async fn later() -> usize {
    let local = Says("local");
    tokio::task::yield_now().await;
    Says("temporary").length() + local.length()
}

#[track_skill("tail")]
#[track_caller]
fn called() -> usize {
    let local = Says("local");
    Says("temporary").length() + local.length()
}

#[test]
fn temporaries_are_dropped_in_order_and_inside_the_call() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let forms: [(&str, &dyn Fn() -> usize); 4] = [
        ("value", &tail),
        ("result", &|| result().unwrap()),
        ("async", &|| runtime.block_on(later())),
        ("caller", &called),
    ];
    for (form, call) in forms {
        let lines = capture_logs(call);
        let dropped: Vec<_> = lines.iter().map(|line| [&line["event"], &line["skill_id"]]).collect();
        assert_eq!(dropped, [["local", "tail"], ["temporary", "tail"]], "{form}");
    }
}
