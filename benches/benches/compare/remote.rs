//! Contenders in their own processes, each with its global subscriber.

use std::error::Error;

use monitor_benches::remote::answer;
pub(crate) use monitor_benches::remote::{Run, remote};

use crate::{http, lines, logged, scrape};

/// Runs a contender whenever the parent process asks, until it closes the pipe.
pub(crate) fn serve(name: &str) -> Result<(), Box<dyn Error>> {
    let (group, member) = name.split_once('/').ok_or("expected GROUP/MEMBER")?;
    answer(match group {
        "http" => http::contender(member)?,
        "lines" => lines::contender(member)?,
        "logged" => logged::contender(member)?,
        "scrape" => scrape::contender(member)?,
        _ => return Err(format!("unknown group {group}").into()),
    })
}
