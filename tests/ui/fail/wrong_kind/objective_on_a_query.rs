use monitor_runtime::track_query;

#[track_query(objective(success = 99.9))]
fn find_user() {}

fn main() {
    find_user();
}
