use monitor_runtime::track_skill;

#[track_skill("search", skip(pool), err, ret, target = "tools")]
fn search(pool: &str) -> Result<usize, String> {
    Ok(pool.len())
}

#[track_skill("find", skip_all, parent = None, properties = { "a": "b" })]
fn find(pool: &str) -> Result<usize, String> {
    Ok(pool.len())
}

fn main() {
    let _ = search("pool");
    let _ = find("pool");
}
