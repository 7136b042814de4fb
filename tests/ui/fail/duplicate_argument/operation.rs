use monitor_runtime::track_query;

#[track_query(operation = "select", operation = "insert")]
fn find() {}

fn main() {
    find();
}
