//! Contenders in their own processes. They still take turns with all others: a process waits for the number of repetitions,
//! runs them, and answers with their time.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::Contender;

/// Runs the given number of times, and returns the time.
pub type Run = Box<dyn FnMut(u64) -> Duration>;

/// Starts a process of this executable with `--contender` and the name, which has to [`answer`].
///
/// # Errors
///
/// If the process cannot be started.
///
/// # Panics
///
/// The contender panics if the process does not answer with a time.
pub fn remote(name: &'static str, contender: &str) -> Result<Contender<'static>, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    // What the shell says of logging is not what is compared here.
    command
        .args(["--contender", contender])
        .env_remove("LOG_LEVEL")
        .env_remove("RUST_LOG")
        .env_remove("LOG_FORMAT");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut to = child.stdin.take().ok_or("no input to write")?;
    let mut from = BufReader::new(child.stdout.take().ok_or("no output to read")?);
    let contender = contender.to_owned();
    Ok(Contender::timed(name, move |times| {
        ask(&mut to, &mut from, times).unwrap_or_else(|error| panic!("{contender} does not answer: {error}"))
    }))
}

fn ask(to: &mut impl Write, from: &mut impl BufRead, times: u64) -> Result<Duration, Box<dyn Error>> {
    writeln!(to, "{times}")?;
    let mut nanos = String::new();
    from.read_line(&mut nanos)?;
    Ok(Duration::from_nanos(nanos.trim().parse()?))
}

/// Runs a contender whenever the parent process asks, until it closes the pipe.
///
/// # Errors
///
/// If the parent asks for no number.
pub fn answer(mut run: Run) -> Result<(), Box<dyn Error>> {
    for times in io::stdin().lines() {
        println!("{}", run(times?.parse()?).as_nanos());
    }
    Ok(())
}
