//! Programs of Prometheus' family, which listen on any free port and say on standard error which it is.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::Child;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// The text before the address.
pub(crate) const LISTENING: &str = "msg=\"Listening on\" address=";

/// The output of a program so far.
pub(crate) type Log = Arc<Mutex<String>>;

/// Reads until the program has named its address and said `ready`, and then on for as long as there is something.
pub(crate) fn listening(child: &mut Child, ready: &'static str) -> (SocketAddr, Log) {
    let (say, said) = mpsc::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let log = Log::default();
    let into = Arc::clone(&log);
    thread::spawn(move || {
        let (mut address, mut is_ready) = (None, false);
        for line in lines.map_while(Result::ok) {
            // It says so in either order.
            address = address.or_else(|| line.split_once(LISTENING)?.1.parse().ok());
            is_ready |= line.contains(ready);
            into.lock().unwrap().extend([&*line, "\n"]);
            if let Some(address) = address.filter(|_| is_ready) {
                // Nobody listens any more once it is known.
                let _ = say.send(address);
            }
        }
    });
    let address = said.recv_timeout(Duration::from_mins(1));
    let address = address.unwrap_or_else(|_| panic!("it does not listen:\n{}", log.lock().unwrap()));
    (address, log)
}
