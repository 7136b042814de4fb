//! Clippy reports the same for `ui/twins.rs` with the attributes and without.

use crate::support::twins;

#[test]
fn clippy_reports_the_same_with_and_without_the_attributes() {
    let (tracked, plain) = (twins::reports(twins::TRACKED), twins::reports(&twins::plain()));
    let named = |(line, lint, _): &twins::Report| (*line, lint.clone());
    let known = |difference| twins::known(difference);
    let (lost, added): (Vec<_>, Vec<_>) = (
        plain.difference(&tracked).filter(|report| !known("lost").contains(&named(report))).collect(),
        tracked.difference(&plain).filter(|report| !known("added").contains(&named(report))).collect(),
    );
    assert!(lost.is_empty() && added.is_empty(), "lost: {lost:#?}\nadded: {added:#?}");
    for (_, lint) in known("lost").iter().chain(&known("added")) {
        assert!(
            include_str!("../../docs/attributes.md").contains(&format!("`{lint}`")),
            "{lint} is not in the guide"
        );
    }
    assert!(plain.intersection(&tracked).count() > 90, "few lints fire: {plain:#?}");
}
