//! The command line.

use std::ffi::OsString;
use std::ops::RangeInclusive;

use lexopt::Arg::Long;
use lexopt::ValueExt as _;

pub(crate) const HELP: &str = "\
Runs several instances of the example service with Prometheus, Alertmanager and VictoriaMetrics, and proves what they add up to.

Usage: fleet [OPTIONS]

Options:
  --instances N  how many instances, 2 to 20 (default: 3)
  --requests N   how many requests each instance is sent a proof, 80 to 10000 (default: 80)
  --help         show this
";

/// The command that the arguments ask for.
#[derive(Debug)]
pub(crate) enum Command {
    Run(Args),
    Help,
}

/// Settings of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) instances: usize,
    /// Number of requests to each instance in each proof.
    pub(crate) requests: usize,
}

impl Command {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut args = Args { instances: 3, requests: 80 };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("instances") => args.instances = number("--instances", parser.value()?, 2..=20)?,
                Long("requests") => args.requests = number("--requests", parser.value()?, 80..=10_000)?,
                Long("help") => return Ok(Self::Help),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Self::Run(args))
    }
}

fn number(option: &str, value: OsString, accepted: RangeInclusive<usize>) -> Result<usize, lexopt::Error> {
    let given = value.string()?;
    given.parse().ok().filter(|number| accepted.contains(number)).ok_or_else(|| {
        let (least, most) = accepted.into_inner();
        format!("{option} takes a whole number from {least} to {most}, not `{given}`").into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Args, String> {
        match Command::parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())? {
            Command::Run(args) => Ok(args),
            Command::Help => Err("help".to_owned()),
        }
    }

    #[test]
    fn numbers_are_taken_within_their_bounds() {
        assert_eq!(parsed(&[]), Ok(Args { instances: 3, requests: 80 }));
        assert_eq!(parsed(&["--instances", "2", "--requests=90"]), Ok(Args { instances: 2, requests: 90 }));
        assert_eq!(
            parsed(&["--instances", "1"]).unwrap_err(),
            "--instances takes a whole number from 2 to 20, not `1`"
        );
        assert!(parsed(&["--requests", "many"]).unwrap_err().contains("not `many`"));
        assert!(parsed(&["--cleanup"]).unwrap_err().contains("--cleanup"));
    }
}
