use monitor_runtime::track_skill;

const LIMIT: usize = 2;

#[track_skill("search", fields(query, LIMIT, app_id, ?otel.kind))]
fn search(query: &str) -> usize {
    query.len().min(LIMIT)
}

fn main() {
    search("tea");
}
