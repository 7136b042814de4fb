use monitor_runtime::track_agent;

fn is_empty(text: &String) -> bool {
    text.is_empty()
}

#[track_agent(error_if = is_empty, ok_if = is_empty)]
fn plan() -> String {
    String::new()
}

fn main() {
    is_empty(&plan());
}
