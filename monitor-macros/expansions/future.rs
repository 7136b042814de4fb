use monitor_runtime::track_agent;

#[track_agent(id = name)]
fn plan(name: &str) -> impl Future<Output = usize> + use<> {
    std::future::ready(name.len())
}
