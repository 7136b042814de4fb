use monitor_runtime::track_agent;

type Goals = Box<dyn Iterator<Item = u8>>;

#[track_agent(stream, stream)]
fn plan() -> Goals {
    unimplemented!()
}

fn main() {
    let _ = std::panic::catch_unwind(|| drop(plan()));
}
