use monitor_runtime::track_skill;

struct Tool;

impl Tool {
    #[track_skill]
    gen fn numbers(&self) -> u8 {}
}

#[track_skill]
impl Tool {
    fn call(&self) {}

    gen fn names(&self) -> u8 {}
}

fn main() {
    Tool.call();
    Tool.numbers();
    Tool.names();
}
