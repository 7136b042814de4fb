use monitor_runtime::track_agent;

type Boxed<T> = std::pin::Pin<Box<dyn Future<Output = T>>>;

#[track_agent]
fn plan() -> Boxed<usize> {
    async { 1 }
}

fn main() {
    let _ = plan();
}
