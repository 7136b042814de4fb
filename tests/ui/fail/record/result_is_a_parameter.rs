use monitor_runtime::track_skill;

#[track_skill(record(result))]
fn search(result: u32) -> u32 {
    result
}

fn main() {
    search(7);
}
