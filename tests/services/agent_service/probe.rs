//! `--probe`, as a container's health check runs it.

use crate::support::closed_port::ClosedPort;
use crate::support::service::{Service, command, notes};

/// The exit code of a probe with these options, and what it says on standard error; it says nothing else.
fn probed(options: &[&str]) -> (i32, String) {
    let output = command().arg("--probe").args(options).output().unwrap();
    assert!(output.stdout.is_empty(), "it says something that is no error");
    (output.status.code().expect("an exit code"), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_service_that_is_up_is_probed_with_0() {
    let service = Service::on(&notes()).ready();
    let port = service.address.port().to_string();
    assert_eq!(probed(&["--port", &port]), (0, String::new()));
    assert_eq!(probed(&[&format!("http://{}/health/ready", service.address)]), (0, String::new()));
}

#[test]
fn an_answer_other_than_200_is_1_and_told() {
    let service = Service::on(&notes());
    let url = format!("http://{}/nowhere", service.address);
    let (code, said) = probed(&[&url]);
    assert_eq!(code, 1);
    assert!(said.starts_with(&format!("agent_service: {url} answered 404")), "{said}");
}

#[test]
fn no_service_is_1_and_told() {
    let closed = ClosedPort::take();
    let port = closed.address.port().to_string();
    let line = format!(
        "agent_service: http://127.0.0.1:{port}/health/live is unreachable: Connection refused (os error 111)\n"
    );
    assert_eq!(probed(&["--port", &port]), (1, line));
}

#[test]
fn a_url_that_cannot_be_asked_is_1_since_docker_reserves_2() {
    let (code, said) = probed(&["https://127.0.0.1/"]);
    assert_eq!(code, 1);
    assert!(
        said.starts_with("agent_service: invalid URL \"https://127.0.0.1/\": TLS is not supported"),
        "{said}"
    );
}
