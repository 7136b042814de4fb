//! A collector of OTLP that is not ours: Rotel, a program that PyPI has inside a package.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::runner::Runner;

const VERSION: &str = "0.0.1a15";

/// Downloads it into the build directory, once, and sets the variable that leads the tests to it.
pub(crate) fn install(runner: &mut Runner) -> Result {
    let folder = target().join(format!("rotel-{VERSION}"));
    let program = folder.join("rotel").join("rotel-agent");
    if !starts(runner, &program)? {
        println!("downloading Rotel {VERSION} from PyPI");
        download(runner, &folder)?;
        fs::set_permissions(&program, Permissions::from_mode(0o755))?;
        if !starts(runner, &program)? {
            let text =
                format!("{} does not start; it needs the library of Debian's Python", program.display());
            return Err(Failure::Message(text));
        }
    }
    runner.set("MONITOR_TEST_ROTEL", program);
    Ok(())
}

/// Where the build is, which outlives a run.
pub(crate) fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target))
}

fn starts(runner: &Runner, program: &Path) -> Result<bool> {
    if program.is_file() { runner.succeeds(runner.command(program).arg("--version")) } else { Ok(false) }
}

/// The package is for one version of Python, whose library the program loads: that of Debian's Python, and not of another one
/// that may come first in the path.
fn download(runner: &Runner, folder: &Path) -> Result {
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    let version = runner.output(runner.command("/usr/bin/python3").args(["-c", version]))?;
    fs::create_dir_all(folder)?;
    let mut pip = runner.command("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--only-binary=:all:", "--python-version", version.trim(), "--dest"]).arg(folder);
    runner.run(pip.arg(format!("rotel=={VERSION}")))?;
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "whl");
    let wheel = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).find(is_wheel);
    let wheel = wheel.ok_or_else(|| Failure::message("pip downloaded no package"))?;
    runner.run(runner.command("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder))
}
