use monitor_runtime::track_skill;

struct Tool;

#[track_skill(record(page))]
impl Tool {
    fn open(&self, page: u32) -> u32 {
        page
    }
}

fn main() {
    Tool.open(7);
}
