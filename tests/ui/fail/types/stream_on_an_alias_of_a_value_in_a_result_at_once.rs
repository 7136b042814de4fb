use monitor_runtime::track_agent;

type Steps = std::vec::IntoIter<u8>;

#[track_agent(stream)]
fn plan() -> Result<Steps, String> {
    Ok(vec![1].into_iter())
}

fn main() {
    let _ = plan();
}
