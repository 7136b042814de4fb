//! What the attributes add to the time a crate builds, over what `#[fastrace::trace]` adds.
//!
//! ```sh
//! cargo bench -p monitor-benches --bench compile_time              # 500 functions, five rounds
//! cargo bench -p monitor-benches --bench compile_time -- --quick   # 100 functions, two rounds
//! ```

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut is_quick = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => is_quick = true,
            // What `cargo bench` says to every bench.
            "--bench" => {}
            unknown => return Err(format!("unknown argument {unknown}; expected --quick").into()),
        }
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_time");
    for (name, figure) in monitor_benches::compile_time::run(&directory, is_quick)? {
        println!("RATIO {name} {figure:.2}");
    }
    Ok(())
}
