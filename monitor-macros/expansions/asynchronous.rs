use monitor_runtime::track_skill;

#[track_skill("web_search", fields(length = query.len()))]
async fn search(query: &str, limit: usize) -> Result<Vec<String>, std::io::Error> {
    std::future::ready(()).await;
    Ok(vec![query.to_owned(); limit])
}
