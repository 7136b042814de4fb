//! The page of platforms: its routes and its commands are those of the service, its settings those of the monitor.

use crate::docs::health::assert_answers;
use crate::docs::page::Page;
use crate::docs::project::takes;

const PAGE: &str = "docs/platforms.md";

#[test]
fn platforms_shows_probes_and_options_of_the_service() {
    Page::open(PAGE).check(&[
        ("Cloud Run", "yaml", |shown| asks(shown, &["/health/startup", "/health/live"])),
        ("Nomad", "hcl", nomad),
        ("systemd", "ini", systemd),
    ]);
}

/// Checks that the block names these routes, in this order and no other, and that they answer.
fn asks(shown: &str, routes: &[&str]) {
    let is_end = |char: char| !(char.is_ascii_alphanumeric() || char == '/');
    let found: Vec<_> = shown
        .match_indices("/health/")
        .map(|(at, _)| shown[at..].split(is_end).next().unwrap_or_default())
        .collect();
    assert_eq!(found, routes);
    for route in routes {
        assert_answers(route);
    }
}

fn nomad(shown: &str) {
    asks(shown, &["/health/ready"]);
    let arguments = shown.split("args  = [").nth(1).unwrap().split(']').next().unwrap();
    let arguments: Vec<_> = arguments.split(',').map(|word| word.trim().trim_matches('"')).collect();
    assert_eq!(arguments, ["--host", "0.0.0.0", "--port", "8080"]);
    takes("agent_service", &arguments);
    assert_eq!(shown.matches('{').count(), shown.matches('}').count());
}

fn systemd(shown: &str) {
    let command = shown.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words: Vec<_> = command.split(' ').collect();
    assert_eq!(words[0], "/usr/local/bin/agent_service");
    takes("agent_service", &words[1..]);
    let variables = shown.lines().filter_map(|line| line.strip_prefix("Environment=")?.split('=').next());
    assert_eq!(variables.collect::<Vec<_>>(), ["LOG_LEVEL", "LOG_FORMAT"]);
    // Its lines are `key=value` below a section's name.
    let lines = shown.lines().filter(|line| !line.is_empty());
    assert!(lines.clone().all(|line| line.starts_with('[') || line.contains('=')), "{shown}");
}

#[test]
fn platforms_names_the_default_delays() {
    let text = Page::open(PAGE).text().to_owned();
    let build = |grace: u64| {
        monitor_runtime::Monitor::builder().grace_period(std::time::Duration::from_secs(grace)).build()
    };
    assert!(text.contains("`stopTimeout` is 30 seconds by default, which fits the default delays"));
    build(30).unwrap();
    assert!(text.contains("`kill_timeout` is 5 seconds by default, less than the default drain needs"));
    build(5).unwrap_err();
}
