use monitor_runtime::track_skill;

#[track_skill(error_if = str::is_empty, error_if = str::is_empty)]
fn find(name: &str) -> &str {
    name
}

fn main() {
    find("");
}
