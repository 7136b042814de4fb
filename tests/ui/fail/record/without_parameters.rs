use monitor_runtime::track_skill;

#[track_skill(record(query))]
fn search() -> u32 {
    0
}

fn main() {
    search();
}
