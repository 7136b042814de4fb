use monitor_runtime::track_skill;

fn main() {
    let double = #[track_skill]
    |number: u32| number * 2;
    double(2);
}
