use monitor_runtime::track_query;

#[track_query(operation = "")]
fn find() {}

fn main() {
    find();
}
