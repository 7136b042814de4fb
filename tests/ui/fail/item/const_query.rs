use monitor_runtime::track_query;

#[track_query]
pub const unsafe fn find() -> usize {
    1
}

fn main() {
    unsafe { find() };
}
