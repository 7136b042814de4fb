use monitor_runtime::track_skill;

struct Grid<const N: usize>;

#[track_skill("shared id")]
impl Grid<{ 1 + 1 }> {
    #[track(skip)]
    fn draw(&self) {}
}

fn main() {
    Grid::<2>.draw();
}
