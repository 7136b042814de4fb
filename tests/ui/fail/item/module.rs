use monitor_runtime::track_query;

#[track_query]
mod queries {
    pub fn find() {}
}

fn main() {
    queries::find();
}
