use monitor_runtime::track_skill;

struct Tool;

#[track_skill]
impl for Tool {
    fn call(&self) {}
}

fn main() {
    Tool.call();
}
