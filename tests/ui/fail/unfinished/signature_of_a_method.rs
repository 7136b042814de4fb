use monitor_runtime::track_skill;

struct Tool;

#[track_skill]
impl Tool {
    fn call(&self, name: ) {}

    fn other(&self, number u8) {}
}

fn main() {
    Tool.call(1);
    Tool.other(1);
}
