//! The recorded runs, on the admin listener.

use crate::support::client::Client;
use crate::support::service::{Service, command, eventually, notes};

#[test]
fn it_logs_the_address_at_which_the_runs_of_its_agents_are_shown() {
    let notes = notes();
    let options = ["--admin-port", "0"];
    let service = Service::start(command().arg("--docs").arg(notes.path()).args(options)).ready();
    let listening =
        eventually("it is logged", || service.log().into_iter().find(|line| line["event"] == "listening"));
    let url = listening["trees"].as_str().unwrap();
    let (address, path) =
        url.strip_prefix("http://").unwrap().split_at(listening["admin"].as_str().unwrap().len() - 7);
    assert_eq!(path, "/monitor/api/v1/runs?format=text");
    service.ask("what is a skill?");
    let shown = Client(address.parse().unwrap()).send("GET", path, &[("host", address)], "");
    assert_eq!(shown.status, 200, "{}", shown.body);
    let researcher = shown.body.lines().find(|line| line.split_whitespace().nth(1) == Some("researcher"));
    assert!(researcher.is_some_and(|line| line.starts_with("success ")), "{}", shown.body);
}
