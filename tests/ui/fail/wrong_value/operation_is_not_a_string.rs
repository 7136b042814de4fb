use monitor_runtime::track_query;

#[track_query(operation = select)]
fn find() {}

fn main() {
    find();
}
