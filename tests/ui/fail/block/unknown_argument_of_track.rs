use monitor_runtime::track_skill;

struct Tool;

#[track_skill]
impl Tool {
    #[track(lable = "debug")]
    fn call(&self) -> usize {
        1
    }
}

fn main() {
    Tool.call();
}
