use monitor_runtime::track_skill;

#[track_skill]
pub(crate) enum Tool {
    Search,
}

fn main() {
    let _ = Tool::Search;
}
