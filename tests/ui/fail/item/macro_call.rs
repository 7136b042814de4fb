use monitor_runtime::track_skill;

#[track_skill]
thread_local! {
    static NUMBER: u8 = 1;
}

fn main() {
    NUMBER.with(|_| ());
}
