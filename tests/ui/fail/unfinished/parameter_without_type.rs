use monitor_runtime::track_query;

#[track_query]
fn find(name: ) -> usize {
    1
}

fn main() {
    find(1);
}
