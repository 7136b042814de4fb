//! What the fuzz targets do with an input: each hands it to one parser or writer and holds the outcome against a reading of
//! the rules of its own.

mod attribute;
mod header;
mod line;
mod text;

pub use attribute::arguments;
pub use header::headers;
pub use line::json_line;
pub use text::exposition;

/// The readers and models of the tests.
#[path = "../../tests/support"]
mod support {
    #![allow(dead_code, unused_imports, reason = "each target uses its own part")]

    pub(crate) mod exposition;
    pub(crate) mod log_case;
    pub(crate) mod log_line;
}

// Nothing can be linked to a crate of procedural macros, so its modules are compiled into this one.
#[path = "../../monitor-macros/src/analysis/mod.rs"]
mod analysis;
#[path = "../../monitor-macros/src/diagnostics.rs"]
mod diagnostics;
#[path = "../../monitor-macros/src/emit/mod.rs"]
mod emit;
#[path = "../../monitor-macros/src/expand.rs"]
mod expand;
#[path = "../../monitor-macros/src/kind.rs"]
mod kind;
#[path = "../../monitor-macros/src/parse/mod.rs"]
mod parse;

/// One fuzz target: libFuzzer's when it is built for fuzzing, else a program that runs the files it is given.
#[macro_export]
macro_rules! target {
    ($run:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|input: &[u8]| $run(input));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            std::env::args_os().skip(1).try_for_each(|file| std::fs::read(file).map(|input| $run(&input)))
        }
    };
}
