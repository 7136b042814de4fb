use monitor_runtime::track_skill;

fn main() {
    #[track_skill]
    let number = 2;
    println!("{number}");
}
