//! Errors that keep the service from starting: one clear line each.

use std::net::TcpListener;
use std::process::Command;

use crate::support::closed_port::ClosedPort;
use crate::support::service::{command, notes, refusal};

/// Asserts that a start with these options and these variables is refused, with that exit code and that line.
#[track_caller]
fn refused(options: &[&str], variables: &[(&str, &str)], code: i32, line: &str) {
    let notes = notes();
    let mut command = command();
    command.arg("--docs").arg(notes.path()).args(options).envs(variables.iter().copied());
    assert_eq!(refusal(&mut command), (code, line.to_owned()));
}

#[test]
fn a_wrong_option_is_named_with_the_way_to_help() {
    for (option, wrong) in [
        ("--frobnicate", "invalid option '--frobnicate'"),
        ("-x", "invalid option '-x'"),
        ("notes", "unexpected argument \"notes\""),
        ("--frob\nnicate", "invalid option '--frob nicate'"),
        ("--traffic=\r\n7\u{85}", "--traffic is `  7 `; expected a number from 1 to 1000"),
        ("--docs", "missing argument for option '--docs'"),
        ("--port=http", "--port is `http`; expected a number from 0 to 65535"),
        ("--port=65536", "--port is `65536`; expected a number from 0 to 65535"),
        ("--time-limit=0", "--time-limit is `0`; expected a number from 1 to 600000"),
        ("--admin-port=-1", "--admin-port is `-1`; expected a number from 0 to 65535"),
        ("--drain-delay=1s", "--drain-delay is `1s`; expected a number from 0 to 600000"),
        ("--traffic=0", "--traffic is `0`; expected a number from 1 to 1000"),
        ("--model=gpt-5", "--model is `gpt-5`; expected one such as `http://127.0.0.1:11434/v1`"),
        ("--model-name=gpt-5", "--model-name is nothing without --model URL"),
    ] {
        refused(&[option], &[], 2, &format!("{wrong}; --help shows what there is"));
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let line = format!("cannot listen on 127.0.0.1, port {port}: Address already in use (os error 98)");
    refused(&["--port", &port], &[], 1, &line);
}

#[test]
fn an_admin_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let line = format!(
        "admin_port cannot listen on {address}: Address already in use (os error 98); expected a free port of this \
         machine, or port 0 for any"
    );
    refused(&["--admin-port", &address.port().to_string()], &[], 1, &line);
}

#[test]
fn a_folder_without_notes_is_named() {
    let empty = tempfile::tempdir().unwrap();
    std::fs::write(empty.path().join("empty.md"), "# Only a heading\n").unwrap();
    let path = empty.path().to_str().unwrap();
    refused(&["--docs", path], &[], 1, &format!("{path} has no Markdown files (*.md) with text in them"));

    let missing = format!("{path}/missing");
    let line = format!("the notes in {missing} cannot be read: No such file or directory (os error 2)");
    refused(&["--docs", &missing], &[], 1, &line);

    let file = format!("{path}/empty.md");
    let line = format!("the notes in {file} cannot be read: Not a directory (os error 20)");
    refused(&["--docs", &file], &[], 1, &line);
}

#[test]
fn a_folder_that_may_not_be_read_is_named() {
    let locked = tempfile::tempdir().unwrap();
    let path = locked.path().to_str().unwrap();
    assert!(Command::new("chmod").args(["000", path]).status().unwrap().success());
    // Root may read everything, and is then told that nothing is in it.
    let may_read = std::fs::read_dir(path).is_ok();
    let line = if may_read {
        format!("{path} has no Markdown files (*.md) with text in them")
    } else {
        format!("the notes in {path} cannot be read: Permission denied (os error 13)")
    };
    refused(&["--docs", path], &[], 1, &line);
}

#[test]
fn a_bad_database_url_is_refused_without_being_shown() {
    for (url, line) in [
        ("notes", "DATABASE_URL has no scheme; expected postgres://… or sqlite://…"),
        (
            "mysql://root:secret@127.0.0.1/notes",
            "DATABASE_URL has the scheme `mysql`; expected postgres://… or sqlite://…",
        ),
        (
            "postgres://root:secret@127.0.0.1:99999/notes",
            "DATABASE_URL is no usable PostgreSQL URL: error with configuration: invalid port number",
        ),
        (
            "sqlite::memory:",
            "DATABASE_URL is no usable SQLite URL: a database in memory is not shared by the connections of a pool; \
             name a file",
        ),
        (
            "sqlite://notes.db?mode=ro",
            "DATABASE_URL is no usable SQLite URL: of parameters it takes only `mode=rwc`: the file is written to, and \
             made if it is missing",
        ),
    ] {
        refused(&[], &[("DATABASE_URL", url)], 1, line);
    }
}

#[test]
fn an_unreachable_database_is_named_without_its_password() {
    let closed = ClosedPort::take();
    let port = closed.address.port();
    let url = format!("postgres://root:secret@127.0.0.1:{port}/notes");
    let line = format!(
        "the database 127.0.0.1:{port} cannot be used: error communicating with database: Connection refused (os error 111)"
    );
    refused(&[], &[("DATABASE_URL", &url)], 1, &line);
}

#[test]
fn a_database_that_does_not_answer_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://root:secret@127.0.0.1:{port}/notes");
    let line = format!("the database 127.0.0.1:{port} cannot be used: no answer in 5s");
    refused(&[], &[("DATABASE_URL", &url)], 1, &line);
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    std::fs::write(
        &path,
        "not a database, but long enough to look like the header of one, or of something else at all",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let line = format!(
        "the database {path} cannot be used: error returned from database: (code: 26) file is not a database"
    );
    refused(&["--db", path], &[], 1, &line);

    let line = "the database /no/such/folder/notes.db cannot be used: error returned from database: (code: 14) unable \
                to open database file";
    refused(&["--db", "/no/such/folder/notes.db"], &[], 1, line);
}

#[test]
fn a_bad_log_setting_is_named_with_what_is_accepted() {
    for (variable, value, accepted) in
        [("LOG_LEVEL", "loud", "expected a level"), ("LOG_FORMAT", "xml", "expected `json` or `pretty`")]
    {
        let (code, line) = refusal(command().env(variable, value));
        assert_eq!(code, 1);
        assert!(line.starts_with(&format!("{variable} is `{value}`")) && line.contains(accepted), "{line}");
    }
}

#[test]
fn help_and_version_are_shown() {
    let said = |option: &str| {
        let output = command().arg(option).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(said("--version"), format!("agent_service {}\n", env!("CARGO_PKG_VERSION")));
    let help = said("--help");
    for option in [
        "--docs",
        "--host",
        "--port",
        "--db",
        "--time-limit",
        "--model",
        "--model-name",
        "--traffic",
        "--admin-port",
        "--drain-delay",
        "--probe",
        "DATABASE_URL",
        "OPENAI_API_KEY",
        "LOG_LEVEL",
        "LOG_FORMAT",
    ] {
        assert!(help.contains(option), "{option} is missing:\n{help}");
    }
}
