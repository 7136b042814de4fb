use monitor_runtime::track_query;

#[track_query(budget(model_calls = 3))]
fn plan() {}

fn main() {
    plan();
}
