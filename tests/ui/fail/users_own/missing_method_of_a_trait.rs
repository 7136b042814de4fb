use monitor_runtime::track_skill;

trait Tool {
    fn name(&self) -> &str;
    fn call(&self) -> usize;
}

#[track_skill]
impl Tool for u8 {
    fn call(&self) -> usize {
        1
    }
}

fn main() {
    1_u8.call();
}
