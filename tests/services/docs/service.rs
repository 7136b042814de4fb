//! A service that a page shows, run in a process of its own and asked by the page's `curl` commands.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use crate::support::subprocess::Subprocess;

/// The address in all code and commands of the pages.
pub(crate) const SHOWN_ADDRESS: &str = "127.0.0.1:3000";

/// The text before the address in a service's line about its listener.
pub(crate) const LISTENING: &str = "listening on ";

/// A module with the service of a page, word for word but for its port, and the test `serves` that runs it until it is
/// killed.
macro_rules! shown_service {
    ($module:ident, $code:literal) => {
        mod $module {
            use crate::docs::free_port as tokio;

            include!($code);

            pub(super) const SERVES: crate::support::subprocess::Subprocess =
                crate::support::subprocess::Subprocess::new(module_path!(), "serves");

            #[test]
            #[ignore = "run by a test of this page, in a process of its own"]
            fn serves() {
                if crate::support::subprocess::part().is_some() {
                    main().unwrap();
                }
            }
        }
    };
}

/// Runs until it is dropped.
pub(crate) struct Service {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Service {
    /// Starts the service that the ignored test runs, in a folder of its own, and waits until it listens.
    pub(crate) fn start(test: Subprocess, folder: &Path) -> Self {
        let mut process = test.command("").current_dir(folder).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut service = Self { process, output, address: String::new() };
        service.address = service.line_with(LISTENING).replace(LISTENING, "");
        service
    }

    /// Waits for the next line of its output that contains this.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let mut lines = self.output.by_ref().lines().map_while(Result::ok);
        let found = lines.find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("it ended without a line with {text:?}"))
    }

    /// Waits until every check of the service has passed.
    pub(crate) fn wait_until_ready(&self) {
        for _ in 0..6_000 {
            if self.request("GET", "/health/ready", "").starts_with("HTTP/1.1 200 ") {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("it does not become ready");
    }

    /// Sends what each `curl` command sends; whole responses, heads included.
    pub(crate) fn curl(&self, commands: &str) -> Vec<String> {
        let scheme_and_address = format!("http://{SHOWN_ADDRESS}");
        let answers = commands.lines().map(|command| {
            let (options, path) = command.split_once(&scheme_and_address).unwrap();
            match options.strip_prefix("curl -d ") {
                Some(data) => self.request("POST", path, data.trim().trim_matches('\'')),
                None => self.request("GET", path, options.strip_prefix("curl ").unwrap()),
            }
        });
        answers.collect()
    }

    fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close");
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
