use monitor_runtime::track_skill;

#[track_skill(record(query = "200"))]
fn search(query: &str) -> u32 {
    query.len() as u32
}

fn main() {
    search("tea");
}
