use monitor_runtime::track_skill;

struct Tool {
    name: Option<String>,
}

#[track_skill]
impl Tool {
    #[track(id = self.name)]
    fn call(&self) -> usize {
        1
    }
}

fn main() {
    Tool { name: None }.call();
}
