use monitor_runtime::track_skill;

#[track_skill(record(result = 1_000_000))]
fn search(query: &str) -> u32 {
    query.len() as u32
}

fn main() {
    search("tea");
}
