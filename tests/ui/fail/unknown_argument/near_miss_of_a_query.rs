use monitor_runtime::track_query;

#[track_query(operaton = "select")]
fn find() {}

fn main() {
    find();
}
