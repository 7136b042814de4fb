//! The lines of the figures and of the machine.

use std::num::NonZero;
use std::{fs, thread};

pub(crate) use monitor_benches::harness::print;

use crate::bars::BARS;

/// Figures by name.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// The line of a figure at the end of the output.
pub(crate) fn line(name: &str, figure: f64) -> String {
    let decimals = if figure >= 1_000.0 { 0 } else { 2 };
    format!("RATIO {name} {figure:.decimals$}")
}

/// The name and the figure of such a line.
pub(crate) fn parse(line: &str) -> Option<(&'static str, f64)> {
    let (name, figure) = line.strip_prefix("RATIO ")?.split_once(' ')?;
    let (name, _) = BARS.iter().find(|(known, _)| *known == name)?;
    Some((name, figure.parse().ok()?))
}

/// The machine and its load, as far as Linux reports them.
pub(crate) fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (processors, load) = (read("/proc/cpuinfo"), read("/proc/loadavg"));
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let threads = thread::available_parallelism().map_or(0, NonZero::get);
    let load = load.split(' ').next().unwrap_or_default();
    format!("{threads} hardware threads, {}, load {load}", model.trim_start_matches(['\t', ':', ' ']))
}
