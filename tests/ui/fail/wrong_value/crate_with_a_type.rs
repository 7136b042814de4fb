use monitor_runtime::track_agent;

#[track_agent(crate = <u8 as Into<u8>>::into)]
fn plan() {}

fn main() {
    plan();
}
