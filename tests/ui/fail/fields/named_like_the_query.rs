use monitor_runtime::track_query;

#[track_query("find_user", fields(query = name))]
fn find(name: &str) -> usize {
    name.len()
}

fn main() {
    find("ada");
}
