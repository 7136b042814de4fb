use monitor_runtime::track_skill;

struct Tool(String);

#[track_skill]
impl Tool {
    async fn rename(&self) {
        self.0 = String::new();
    }
}

fn main() {
    let _ = Tool(String::new()).rename();
}
