use monitor_runtime::track_skill;

#[track_skill(record(prompt))]
fn search(query: &str, page: u32) -> u32 {
    query.len() as u32 + page
}

fn main() {
    search("tea", 7);
}
