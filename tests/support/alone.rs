//! The program of `alone/main.rs`, built with dependencies of its own: features of `tracing` that no other test is to have, and
//! panics that abort. Cargo unifies features within a build, so it is a package of its own, made where Cargo keeps what tests make.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(build);

/// The program with one part of it to run, and none of the variables that the developer may have set.
pub(crate) fn alone(part: &str) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.arg(part);
    for variable in ["LOG_LEVEL", "RUST_LOG", "LOG_FORMAT"] {
        command.env_remove(variable);
    }
    command
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alone");
    fs::create_dir_all(&package).unwrap();
    fs::write(package.join("Cargo.toml"), manifest(root)).unwrap();
    // The versions that everything else is tested with, which are here already.
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("build").arg("--manifest-path").arg(package.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(package.join("target"));
    let built = cargo.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    package.join("target/debug/alone").with_extension(env::consts::EXE_EXTENSION)
}

fn manifest(root: &Path) -> String {
    let source = root.join("tests/support/alone/main.rs");
    let (source, runtime) = (source.display(), root.join("monitor-runtime"));
    let runtime = runtime.display();
    format!(
        r#"[workspace]

[package]
name = "alone"
edition = "2024"

[[bin]]
name = "alone"
path = '{source}'

[dependencies]
monitor-runtime = {{ path = '{runtime}', default-features = false, features = ["macros", "logging"] }}
log = {{ version = "0.4", features = ["kv_serde"] }}
tracing = {{ version = "0.1", default-features = false, features = ["log-always"] }}
tracing-log = {{ version = "0.2", default-features = false, features = ["log-tracer", "std"] }}
tracing-subscriber = {{ version = "0.3", default-features = false, features = ["registry"] }}

[profile.dev]
panic = "abort"
debug = false
incremental = false
"#
    )
}
