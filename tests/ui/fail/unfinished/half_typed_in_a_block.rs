use monitor_runtime::track_skill;

struct Tool(u8);

#[track_skill]
impl Tool {
    async fn call(self) -> Tool {
        self.
    }
}

fn main() {
    let _ = Tool(1).call();
}
