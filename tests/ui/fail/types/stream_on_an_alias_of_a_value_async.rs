use monitor_runtime::track_skill;

type Steps = std::vec::IntoIter<u8>;

#[track_skill(stream)]
async fn steps() -> Steps {
    vec![1].into_iter()
}

fn main() {
    let _ = steps();
}
