//! Readiness as the Kubernetes API server says it: a line a check, and a verdict.
//! <https://kubernetes.io/docs/reference/using-api/health-checks/>

use super::engine::Health;
use super::question::Question;

/// The lines before the verdict.
pub(super) fn checks(health: &Health<'_>, question: &Question) -> String {
    let mut out = String::new();
    for check in &health.checks {
        let name = check.name;
        let said = if question.exclude.contains(name) {
            ["[+]", name, " excluded: ok\n"]
        } else if check.status.is_healthy() {
            ["[+]", name, " ok\n"]
        } else if check.allows_ready() {
            ["[+]", name, " degraded: ok\n"]
        } else {
            ["[-]", name, " failed: reason withheld\n"]
        };
        out.extend(said);
    }
    if health.draining {
        out.push_str("[-]shutdown failed: reason withheld\n");
    }
    if let Some(warning) = warning(health, question) {
        out.extend(["warn: ", &warning, "\n"]);
    }
    out
}

/// What is wrong with the question itself: names to exclude that no check has.
pub(super) fn warning(health: &Health<'_>, question: &Question) -> Option<String> {
    let unmatched = question.unmatched(health.checks.iter().map(|check| check.name))?;
    Some(format!("some health checks cannot be excluded: no matches for {unmatched}"))
}

/// The last line.
pub(super) fn verdict(passed: bool) -> &'static str {
    if passed { "ready check passed\n" } else { "ready check failed\n" }
}
