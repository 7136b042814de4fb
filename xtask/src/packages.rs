//! What the gates need of the machine, and its installation.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::failure::{Failure, Result};
use crate::policy::{ServicePolicy, as_root};
use crate::runner::Runner;

/// Something that the gates need, and the packages that bring it.
struct Need {
    name: &'static str,
    is_met: fn(&Runner) -> Result<bool>,
    packages: &'static [&'static str],
}

/// A C compiler is not among them: without one this program could not have been linked.
const NEEDS: &[Need] = &[
    Need { name: "a C++ compiler", is_met: has_cxx_compiler, packages: &["g++"] },
    Need { name: "PostgreSQL", is_met: |_| Ok(postgres_bin().is_some()), packages: &["postgresql"] },
    Need {
        name: "MariaDB",
        is_met: |_| Ok(has_programs(&["mariadbd", "mariadb-install-db"])),
        packages: &["mariadb-server"],
    },
    Need {
        name: "Prometheus",
        is_met: |_| Ok(has_programs(&["promtool", "prometheus"])),
        packages: &["prometheus"],
    },
    Need {
        name: "its Pushgateway",
        is_met: |_| Ok(has_programs(&["prometheus-pushgateway"])),
        packages: &["prometheus-pushgateway"],
    },
    Need {
        name: "its Alertmanager",
        is_met: |_| Ok(has_programs(&["prometheus-alertmanager"])),
        packages: &["prometheus-alertmanager"],
    },
    Need {
        name: "VictoriaMetrics",
        is_met: |_| Ok(has_programs(&["victoria-metrics"])),
        packages: &["victoria-metrics"],
    },
    Need {
        name: "a browser",
        is_met: |_| Ok(has_programs(&["chromium", "chromedriver"])),
        packages: &["chromium", "chromium-driver"],
    },
    Need { name: "rsyslog", is_met: has_rsyslog, packages: &["rsyslog", "rsyslog-elasticsearch"] },
    Need { name: "botocore", is_met: has_botocore, packages: &["python3-botocore"] },
    Need {
        name: "the client of Prometheus for Python",
        is_met: has_prometheus_client,
        packages: &["python3-prometheus-client"],
    },
    Need { name: "pip", is_met: |runner| imports(runner, "python3", "pip"), packages: &["python3-pip"] },
    Need { name: "the library of Python", is_met: has_libpython, packages: &["libpython3-dev"] },
];

pub(crate) fn install_missing(runner: &Runner) -> Result {
    let mut missing = Vec::new();
    for need in NEEDS {
        if !(need.is_met)(runner)? {
            missing.extend(need.packages);
        }
    }
    if !missing.is_empty() {
        install(runner, &missing)?;
    }
    for Need { name, is_met, packages } in NEEDS {
        if !is_met(runner)? {
            let packages = packages.join(" ");
            let text = format!("installing the package {packages} was not enough: {name} is still missing");
            return Err(Failure::Message(text));
        }
    }
    let names: Vec<_> = NEEDS.iter().map(|need| need.name).collect();
    println!("there are {}", names.join(", "));
    Ok(())
}

fn install(runner: &Runner, packages: &[&str]) -> Result {
    println!("installing by apt-get: {}", packages.join(" "));
    if find_program("apt-get").is_none() {
        let packages = packages.join(" ");
        return Err(Failure::Message(format!(
            "there is no apt-get here; install the equivalents of: {packages}"
        )));
    }
    if !apt_get(runner, &["update", "-qq"])? {
        println!("apt-get update failed; going on with the package lists that are there");
    }
    for package in packages {
        if !runner.succeeds(runner.command("apt-cache").args(["show", package]))? {
            let text = format!("the package {package} cannot be had from this machine's sources");
            return Err(Failure::Message(text));
        }
    }
    let policy = ServicePolicy::of_this_machine(runner);
    let forbidden = policy.forbid()?;
    let options = ["install", "-y", "-qq", "--no-install-recommends"];
    let is_installed = apt_get(runner, &[&options, packages].concat())?;
    drop(forbidden);
    runner.check()?;
    let text = || Failure::Message(format!("apt-get could not install: {}", packages.join(" ")));
    is_installed.then_some(()).ok_or_else(text)
}

/// Whether it succeeds.
///
/// It does not go by [`Runner::run`], so a signal waits for its end: a dpkg that was cut short leaves the machine to be mended
/// by hand, and sudo may have to ask on the terminal.
pub(crate) fn apt_get(runner: &Runner, arguments: &[&str]) -> Result<bool> {
    runner.check()?;
    let mut command = as_root(runner, "env")?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command.args(["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]).args(arguments);
    Ok(command.status()?.success())
}

/// Finds a program also in sbin, where daemons are and which an ordinary user's PATH leaves out.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut candidates = path().into_iter().chain(sbin).map(|folder| folder.join(name));
    candidates.find(|program| is_executable(program))
}

/// The directory of PostgreSQL's server programs, which Debian keeps out of PATH.
pub(crate) fn postgres_bin() -> Option<PathBuf> {
    let has_server =
        |folder: &PathBuf| ["postgres", "initdb"].iter().all(|name| is_executable(&folder.join(name)));
    path().into_iter().chain(debian_postgres_bins()).find(has_server)
}

/// The newest version first.
fn debian_postgres_bins() -> impl Iterator<Item = PathBuf> {
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = folders.map(|entry| entry.path()).collect();
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    folders.sort_by_key(version);
    folders.into_iter().rev().map(|folder| folder.join("bin"))
}

fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn has_programs(names: &[&str]) -> bool {
    names.iter().all(|name| find_program(name).is_some())
}

/// libFuzzer is C++.
fn has_cxx_compiler(runner: &Runner) -> Result<bool> {
    let mut source = tempfile::NamedTempFile::with_suffix(".cpp")?;
    std::io::Write::write_all(&mut source, b"#include <string>\nint main() { return 0; }\n")?;
    runner.succeeds(runner.command("c++").arg(source.path()).args(["-o", "/dev/null"]))
}

fn has_rsyslog(runner: &Runner) -> Result<bool> {
    if !has_programs(&["rsyslogd"]) {
        return Ok(false);
    }
    let mut dpkg = runner.command("dpkg");
    let files = match runner.output(dpkg.args(["-L", "rsyslog-elasticsearch"]).stderr(Stdio::null())) {
        Err(signal @ Failure::Signal(_)) => return Err(signal),
        files => files.unwrap_or_default(),
    };
    Ok(files.lines().any(|file| file.ends_with("omelasticsearch.so") && Path::new(file).exists()))
}

/// The model of AWS' API, which the task definition of ECS is checked by.
fn has_botocore(runner: &Runner) -> Result<bool> {
    imports(runner, "python3", "botocore")
}

/// The other reader of scrapes. Debian's package is for Debian's Python, which may not be the first one in the path.
fn has_prometheus_client(runner: &Runner) -> Result<bool> {
    let module = "prometheus_client";
    Ok(imports(runner, "python3", module)? || imports(runner, "/usr/bin/python3", module)?)
}

/// Whether the library is there that the collector of OTLP is linked against.
fn has_libpython(runner: &Runner) -> Result<bool> {
    let load = "import ctypes, sys; ctypes.CDLL('libpython%d.%d.so.1.0' % sys.version_info[:2])";
    runner.succeeds(runner.command("/usr/bin/python3").args(["-c", load]).stderr(Stdio::null()))
}

fn imports(runner: &Runner, python: &str, module: &str) -> Result<bool> {
    runner.succeeds(runner.command(python).args(["-c", &format!("import {module}")]))
}
