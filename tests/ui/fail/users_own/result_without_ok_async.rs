use monitor_runtime::track_agent;

#[track_agent]
async fn plan(is_known: bool) -> Result<u8, String> {
    if !is_known {
        return Err(String::new());
    }
    1
}

fn main() {
    let _ = plan(true);
}
