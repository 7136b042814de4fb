//! The conventions for names: <https://prometheus.io/docs/practices/naming/>.

use super::read::{Family, Kind};
use super::{LintRule, Problems};

/// Units with the base unit to use instead; a base unit maps to itself.
const UNITS: [(&str, &str); 24] = [
    ("amperes", "amperes"),
    ("bytes", "bytes"),
    ("celsius", "celsius"),
    ("grams", "grams"),
    ("joules", "joules"),
    ("kelvin", "kelvin"),
    ("meters", "meters"),
    ("metres", "metres"),
    ("seconds", "seconds"),
    ("volts", "volts"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("weeks", "seconds"),
    ("kelvins", "kelvin"),
    ("fahrenheit", "celsius"),
    ("rankine", "celsius"),
    ("inches", "meters"),
    ("yards", "meters"),
    ("miles", "meters"),
    ("bits", "bytes"),
    ("calories", "joules"),
    ("pounds", "grams"),
    ("ounces", "grams"),
];

const PREFIXES: [&str; 18] = [
    "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mebi",
    "giga", "gibi", "tera", "tebi", "peta", "pebi",
];

const ABBREVIATIONS: [&str; 14] =
    ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];

const TYPES: [&str; 4] = ["counter", "gauge", "summary", "histogram"];

pub(super) fn check(family: &Family<'_>, problems: &mut Problems) {
    let mut note = |rule, message: String| problems.note(family.line, family.name, rule, message);
    check_suffix(family, &mut note);
    let name = family.name;
    if let Some((unit, base)) = unit(name).filter(|(unit, base)| unit != base) {
        note(LintRule::BaseUnit, format!("`{unit}` is no base unit; expected `{base}`"));
    }
    let lower = name.to_ascii_lowercase();
    for unit in words(&lower).skip(1).filter(|word| ABBREVIATIONS.contains(word)) {
        note(
            LintRule::AbbreviatedUnit,
            format!("`{unit}` is an abbreviated unit; expected one that is written out"),
        );
    }
    for kind in words(&lower).skip(1).filter(|word| TYPES.contains(word)) {
        note(
            LintRule::TypeInName,
            format!("the name holds its type, `{kind}`; expected what is measured alone"),
        );
    }
    if name.contains(':') {
        note(LintRule::Colon, "a colon is for the names of recording rules".to_owned());
    }
    if is_camel_case(name) {
        note(LintRule::CamelCase, "the name is in camelCase; expected snake_case".to_owned());
    }
}

fn check_suffix(family: &Family<'_>, note: &mut impl FnMut(LintRule, String)) {
    let Some(kind) = family.kind.filter(|kind| *kind != Kind::Untyped) else { return };
    let name = family.name;
    match (kind == Kind::Counter, name.ends_with("_total")) {
        (true, false) => note(LintRule::TotalSuffix, "a counter's name ends in `_total`".to_owned()),
        (false, true) => note(LintRule::TotalSuffix, "`_total` is for counters".to_owned()),
        _ => {}
    }
    if kind != Kind::Histogram && name.ends_with("_bucket") {
        note(LintRule::ReservedSuffix, "`_bucket` is for histograms".to_owned());
    }
    if !matches!(kind, Kind::Histogram | Kind::Summary) {
        for suffix in ["_count", "_sum"].into_iter().filter(|suffix| name.ends_with(suffix)) {
            note(LintRule::ReservedSuffix, format!("`{suffix}` is for histograms and summaries"));
        }
    }
}

/// The first unit in a name, and the base unit to use instead.
fn unit(name: &str) -> Option<(&str, &'static str)> {
    words(name).find_map(|word| Some((word, base(word)?)))
}

fn base(word: &str) -> Option<&'static str> {
    let known = |unit: &str| UNITS.iter().find(|(name, _)| *name == unit).map(|(_, base)| *base);
    let prefixed = || PREFIXES.iter().find_map(|prefix| known(word.strip_prefix(prefix)?));
    known(word).or_else(prefixed)
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split('_')
}

/// Whether a capital follows a small letter.
pub(super) fn is_camel_case(name: &str) -> bool {
    name.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}
