//! What is printed: a table for each race, and the figures.

use crate::bars::BARS;
use crate::harness::Race;

/// Figures by name.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// Prints what each contender took, in nanoseconds; `base` names the one that a contender's net cost is beyond of.
pub(crate) fn print(title: &str, race: &Race, base: impl Fn(&str) -> Option<&'static str>) {
    println!("\n{title}; nanoseconds over {} rounds", race.rounds());
    println!("{:<36}{:>12}{:>12}{:>12}{:>12}{:>12}", "", "median", "minimum", "p10", "p90", "net");
    for (name, column) in race.columns() {
        let [minimum, p10, p90] = [0, 10, 90].map(|percent| column.percentile(percent));
        let net = base(name).map_or_else(String::new, |base| format!("{:.1}", race.net(name, base).median()));
        println!("{name:<36}{:>12.1}{minimum:>12.1}{p10:>12.1}{p90:>12.1}{net:>12}", column.median());
    }
}

/// The line of a figure, as it closes the output.
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
