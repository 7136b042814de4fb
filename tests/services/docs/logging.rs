//! The logging page: its lines are logged, its refusals are provoked.

use monitor_runtime::logging::Format;

use crate::docs::compare::{assert_lines, logged, masked_times};
use crate::docs::page::Page;
use crate::docs::project;
use crate::support::subprocess::{self, Subprocess};

const PAGE: &str = "docs/logging.md";

mod notes {
    include!("shown/logging_lines.rs");

    pub(super) fn run() {
        research("tea?").unwrap_err();
    }
}

const NOTES: &str = concat!(module_path!(), "::notes");

#[test]
fn logging_shows_what_is_really_written_and_refused() {
    Page::open(PAGE).check(&[
        ("Format of a log line", "json", json_lines),
        ("Choose the level with LOG_LEVEL", "sh", settings),
        ("Choose the level with LOG_LEVEL", "text", |shown| refused("LOG_LEVEL", "loud", shown)),
        ("Choose the format with LOG_FORMAT", "text", |shown| refused("LOG_FORMAT", "xml", shown)),
        ("Choose the format with LOG_FORMAT", "text", pretty_lines),
    ]);
}

fn json_lines(shown: &str) {
    assert_lines(shown, &logged(Format::Json, notes::run), NOTES, "notes");
}

fn pretty_lines(shown: &str) {
    let logged = logged(Format::Pretty, notes::run).replace(NOTES, "notes");
    assert_eq!(masked_times(shown), masked_times(&logged));
}

/// Each command with its setting in front is one that exists, and its setting is accepted.
fn settings(commands: &str) {
    for command in commands.lines() {
        let (setting, command) = command.split_once(' ').unwrap();
        let (variable, value) = setting.split_once('=').unwrap();
        assert_eq!(initialised_with(variable, value), "");
        project::commands_exist(command);
    }
}

fn refused(variable: &str, value: &str, shown: &str) {
    assert_eq!(initialised_with(variable, value), shown);
}

/// The error of a process that initialises logging with this variable set, or nothing.
fn initialised_with(variable: &str, value: &str) -> String {
    let ended = INITIALISES.command("").env(variable, value).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    said.lines().filter_map(|line| line.strip_prefix("refused: ")).flat_map(|line| [line, "\n"]).collect()
}

const INITIALISES: Subprocess = Subprocess::new(module_path!(), "initialises");

#[test]
#[ignore = "run by a test of this page, in a process of its own"]
fn initialises() {
    if let Some(error) = subprocess::part().map(|_| monitor_runtime::logging::init()).and_then(Result::err) {
        eprintln!("refused: {error}");
    }
}
