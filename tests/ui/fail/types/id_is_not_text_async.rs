use monitor_runtime::track_agent;

#[track_agent(id = number)]
async fn plan(number: u32) -> u32 {
    number
}

fn main() {
    let _ = plan(1);
}
