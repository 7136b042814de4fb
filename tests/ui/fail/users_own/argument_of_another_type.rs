use monitor_runtime::track_query;

#[track_query]
fn find(name: &str) -> usize {
    name.len()
}

fn main() {
    find(1);
}
