use monitor_runtime::track_query;

#[track_query("find_user", fields(id))]
fn find(name: &str) -> usize {
    name.len()
}

fn main() {
    find("ada");
}
