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
    pub(crate) mod log_line;
    pub(crate) mod scene;
}

// Nothing can be linked to a crate of procedural macros, so its modules are compiled into this one.
#[path = "../../monitor-macros/src/arguments.rs"]
mod arguments;
#[path = "../../monitor-macros/src/block.rs"]
mod block;
#[path = "../../monitor-macros/src/diagnostics.rs"]
mod diagnostics;
#[path = "../../monitor-macros/src/early.rs"]
mod early;
#[path = "../../monitor-macros/src/elision.rs"]
mod elision;
#[path = "../../monitor-macros/src/entry.rs"]
mod entry;
#[path = "../../monitor-macros/src/expand.rs"]
mod expand;
#[path = "../../monitor-macros/src/field.rs"]
mod field;
#[path = "../../monitor-macros/src/function.rs"]
mod function;
#[path = "../../monitor-macros/src/item.rs"]
mod item;
#[path = "../../monitor-macros/src/kind.rs"]
mod kind;
#[path = "../../monitor-macros/src/objective.rs"]
mod objective;
#[path = "../../monitor-macros/src/operation.rs"]
mod operation;
#[path = "../../monitor-macros/src/options.rs"]
mod options;
#[path = "../../monitor-macros/src/parameters.rs"]
mod parameters;
#[path = "../../monitor-macros/src/refusal.rs"]
mod refusal;
#[path = "../../monitor-macros/src/self_type.rs"]
mod self_type;
#[path = "../../monitor-macros/src/shape.rs"]
mod shape;
#[path = "../../monitor-macros/src/slot.rs"]
mod slot;
#[path = "../../monitor-macros/src/spec.rs"]
mod spec;

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
