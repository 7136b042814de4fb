use monitor_runtime::track_skill;

unsafe extern "C" {
    #[track_skill]
    safe fn abs(number: i32) -> i32;
}

fn main() {
    abs(-1);
}
