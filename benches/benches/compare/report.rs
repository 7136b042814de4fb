//! Prints a table for each race, and the figures.

use std::num::NonZero;
use std::{fs, thread};

use crate::bars::BARS;
use crate::harness::Race;

/// Figures by name.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// Prints each contender's nanoseconds. `cost` is the basis of the figures, and `net` is the cost beyond the contender named by
/// `base`.
pub(crate) fn print(title: &str, race: &Race, base: impl Fn(&str) -> Option<&'static str>) {
    println!("\n{title}; nanoseconds over {} rounds", race.rounds());
    println!(
        "{:<36}{:>13}{:>13}{:>13}{:>13}{:>13}{:>13}",
        "", "median", "minimum", "p10", "p90", "cost", "net"
    );
    for name in race.names() {
        let [median, minimum, p10, p90] = [50, 0, 10, 90].map(|percent| race.of(name).percentile(percent));
        let net = base(name).map_or_else(String::new, |base| format!("{:.1}", race.net(name, base)));
        let cost = race.cost(name);
        println!("{name:<36}{median:>13.1}{minimum:>13.1}{p10:>13.1}{p90:>13.1}{cost:>13.1}{net:>13}");
    }
}

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
