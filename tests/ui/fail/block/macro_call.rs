use monitor_runtime::track_skill;

macro_rules! method {
    ($name:ident) => {
        fn $name(&self) {}
    };
}

struct Tool;

#[track_skill]
impl Tool {
    method!(call);

    #[track(skip)]
    method!(left_out);
}

fn main() {
    Tool.call();
    Tool.left_out();
}
