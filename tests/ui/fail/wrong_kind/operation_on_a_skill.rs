use monitor_runtime::track_skill;

#[track_skill("search", operation = "select")]
fn search() {}

fn main() {
    search();
}
