use monitor_runtime::track_skill;

struct Tool(String);

#[track_skill]
impl Tool {
    fn name(&self) -> String {
        self.0
    }
}

fn main() {
    Tool(String::new()).name();
}
