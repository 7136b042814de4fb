use monitor_runtime::track_skill;

#[track_skill(budget(model_calls = 3))]
fn plan() {}

fn main() {
    plan();
}
