use monitor_runtime::track_skill;

#[track_skill]
trait Tool {
    fn call(&self) -> usize {
        1
    }
}

impl Tool for u8 {}

fn main() {
    1_u8.call();
}
