use monitor_runtime::track_agent;

fn is_empty(text: &String) -> bool {
    text.is_empty()
}

#[track_agent(error_if = is_empty)]
fn plan(number: u32) -> u32 {
    number
}

fn main() {
    is_empty(&String::new());
    plan(1);
}
