//! The command line.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;

use crate::model::Address;

pub(crate) const HELP: &str = "\
Answers questions about a folder of Markdown notes, over HTTP.

Usage: agent_service [OPTIONS]

Options:
  --docs PATH    the folder with the notes (default: this project's docs)
  --host HOST    the address to listen on (default: 127.0.0.1)
  --port PORT    the port to listen on; 0 takes a free one (default: 8080)
  --db PATH      the SQLite file to keep notes and runs in (default: one that is removed at the end)
  --time-limit MS
                 how long a question may take, in milliseconds, 1 to 600000 (default: 10000)
  --model URL    have answers written by a language model behind OpenAI's interface, such as
                 http://127.0.0.1:11434/v1 (default: answers quote the notes)
  --model-name NAME
                 the model to ask for (default: the first that the URL lists)
  --traffic N    ask yourself N questions a second, 1 to 1000; some of them fail or time out
  --admin-port PORT
                 show the live page at this port of 127.0.0.1, and answer the probes there apart from all else; 0 takes
                 a free one (default: 8081, or a free one if that is taken or --port is 0)
  --peers PLACE,PLACE
                 show these instances on the live page too, each by its address and its admin port, such as
                 127.0.0.1:8091 or agents.internal:8081
  --drain-delay MS
                 how long to serve on once told to stop, while readiness says so, 0 to 600000 (default: 5000)
  --probe [URL]  ask a running service instead, and end with 0 if it answers 200, else with 1
                 (default: its /health/live at --host and --port)
  --help         show this
  --version      show the version

Environment:
  DATABASE_URL   postgres://… or sqlite://…, unless --db is given
  OPENAI_API_KEY the key for the language model, if it wants one
  LOG_LEVEL      off, error, warn, info, debug, trace, or by target: info,sqlx=warn (default: info)
  LOG_FORMAT     json or pretty (default: json)
";

/// The command that the arguments ask for.
#[derive(Debug)]
pub(crate) enum Command {
    Serve(Args),
    /// Probe this URL.
    Probe(String),
    Help,
    Version,
}

/// Settings of the service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) docs: PathBuf,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) db: Option<PathBuf>,
    /// The agents' time limit for an answer.
    pub(crate) time_limit: Duration,
    /// The language model that writes answers.
    pub(crate) model: Option<Address>,
    pub(crate) model_name: Option<String>,
    /// Questions per second.
    pub(crate) traffic: Option<u32>,
    /// The port of the live page and of further probes; by default 8081, or any if that is taken.
    pub(crate) admin_port: Option<u16>,
    /// The admin listeners of other instances.
    pub(crate) peers: Vec<String>,
    /// Drain delay: time to keep serving after the signal to stop.
    pub(crate) drain_delay: Duration,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            docs: concat!(env!("CARGO_MANIFEST_DIR"), "/docs").into(),
            host: "127.0.0.1".to_owned(),
            port: 8080,
            db: None,
            time_limit: Duration::from_secs(10),
            model: None,
            model_name: None,
            traffic: None,
            admin_port: None,
            peers: Vec::new(),
            drain_delay: Duration::from_secs(5),
        }
    }
}

impl Command {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let (mut args, mut probe) = (Args::default(), None);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("docs") => args.docs = parser.value()?.into(),
                Long("host") => args.host = parser.value()?.string()?,
                Long("port") => args.port = number("--port", &parser.value()?, 0..=u16::MAX)?,
                Long("db") => args.db = Some(parser.value()?.into()),
                Long("time-limit") => {
                    let milliseconds = number("--time-limit", &parser.value()?, 1..=600_000)?;
                    args.time_limit = Duration::from_millis(milliseconds);
                }
                Long("model") => args.model = Some(model_address(&parser.value()?)?),
                Long("model-name") => args.model_name = Some(parser.value()?.string()?),
                Long("traffic") => args.traffic = Some(number("--traffic", &parser.value()?, 1..=1000)?),
                Long("admin-port") => {
                    args.admin_port = Some(number("--admin-port", &parser.value()?, 0..=u16::MAX)?);
                }
                Long("peers") => args.peers = peers(&parser.value()?)?,
                Long("drain-delay") => {
                    let milliseconds = number("--drain-delay", &parser.value()?, 0..=600_000)?;
                    args.drain_delay = Duration::from_millis(milliseconds);
                }
                Long("probe") => probe = Some(probe_url(&mut parser)?),
                Long("help") | Short('h') => return Ok(Self::Help),
                Long("version") | Short('V') => return Ok(Self::Version),
                Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
            }
        }
        if args.model_name.is_some() && args.model.is_none() {
            return Err("--model-name is nothing without --model URL".into());
        }
        Ok(match probe {
            Some(url) => Self::Probe(url.unwrap_or_else(|| live_url(&args.host, args.port))),
            None => Self::Serve(args),
        })
    }
}

fn model_address(value: &OsString) -> Result<Address, lexopt::Error> {
    let shown = value.display();
    let address = value.to_str().unwrap_or_default().parse();
    address.map_err(|expected| format!("--model is `{shown}`; {expected}").into())
}

/// Returns the places of other instances, each with a port.
///
/// The monitor refuses the same ones, but only once the index is built.
fn peers(value: &OsString) -> Result<Vec<String>, lexopt::Error> {
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_place = |place: &str| match place.parse::<SocketAddr>() {
        Ok(address) => address.port() != 0,
        Err(_) => place.rsplit_once(':').is_some_and(|(host, port)| {
            let is_port = port.parse::<u16>().is_ok_and(|port| port != 0);
            is_port && !host.is_empty() && host.bytes().all(is_of_host)
        }),
    };
    let places: Vec<_> = value.to_str().unwrap_or_default().split(',').map(str::to_owned).collect();
    if places.iter().all(|place| is_place(place)) {
        return Ok(places);
    }
    let expected =
        "expected addresses or hosts with a port, separated by commas, such as 127.0.0.1:8091,127.0.0.1:8092";
    Err(format!("--peers is `{}`; {expected}", value.display()).into())
}

/// The URL after `--probe`, if there is one.
fn probe_url(parser: &mut lexopt::Parser) -> Result<Option<String>, lexopt::Error> {
    let attached = parser.optional_value();
    let value = attached.or_else(|| parser.try_raw_args()?.next_if(|next| !is_option(next)));
    value.map(ValueExt::string).transpose()
}

fn is_option(argument: &OsStr) -> bool {
    argument.as_encoded_bytes().starts_with(b"-")
}

/// The liveness URL of a service that listens at this address.
fn live_url(host: &str, port: u16) -> String {
    match host.parse() {
        Ok(IpAddr::V6(address)) if address.is_unspecified() => format!("http://[::1]:{port}/health/live"),
        Ok(IpAddr::V6(address)) => format!("http://[{address}]:{port}/health/live"),
        Ok(IpAddr::V4(address)) if address.is_unspecified() => format!("http://127.0.0.1:{port}/health/live"),
        _ => format!("http://{host}:{port}/health/live"),
    }
}

fn number<N>(option: &str, value: &OsString, range: std::ops::RangeInclusive<N>) -> Result<N, lexopt::Error>
where
    N: FromStr + PartialOrd + Display,
{
    let number = value.to_str().and_then(|text| text.parse().ok()).filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let (least, most) = range.into_inner();
        format!("{option} is `{}`; expected a number from {least} to {most}", value.display()).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, String> {
        Command::parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn refused(arguments: &[&str]) -> String {
        parse(arguments).expect_err("the arguments were taken")
    }

    #[test]
    fn absent_arguments_have_defaults() {
        let Ok(Command::Serve(args)) = parse(&["--port=0", "--docs", "/notes", "--time-limit", "250"]) else {
            panic!("no command to serve")
        };
        let time_limit = Duration::from_millis(250);
        assert_eq!(args, Args { port: 0, docs: "/notes".into(), time_limit, ..Args::default() });
    }

    #[test]
    fn a_probe_asks_the_given_url_or_the_service_at_the_given_place() {
        let probed = |arguments: &[&str]| match parse(arguments) {
            Ok(Command::Probe(url)) => url,
            other => panic!("no probe: {other:?}"),
        };
        assert_eq!(probed(&["--probe"]), "http://127.0.0.1:8080/health/live");
        assert_eq!(probed(&["--probe", "--port", "9000"]), "http://127.0.0.1:9000/health/live");
        assert_eq!(probed(&["--host", "0.0.0.0", "--probe"]), "http://127.0.0.1:8080/health/live");
        assert_eq!(probed(&["--host", "::", "--probe"]), "http://[::1]:8080/health/live");
        assert_eq!(probed(&["--probe", "http://a/b"]), "http://a/b");
        assert_eq!(probed(&["--probe=http://a/b", "--port", "1"]), "http://a/b");
    }

    #[test]
    fn wrong_arguments_are_named() {
        assert_eq!(refused(&["--prot", "1"]), "invalid option '--prot'");
        assert_eq!(refused(&["notes"]), "unexpected argument \"notes\"");
        assert_eq!(refused(&["--docs"]), "missing argument for option '--docs'");
        assert_eq!(refused(&["--port", "http"]), "--port is `http`; expected a number from 0 to 65535");
        let wrong = "--time-limit is `10s`; expected a number from 1 to 600000";
        assert_eq!(refused(&["--time-limit", "10s"]), wrong);
        assert_eq!(refused(&["--traffic", "0"]), "--traffic is `0`; expected a number from 1 to 1000");
        let wrong = "--model is `gpt-5`; expected one such as `http://127.0.0.1:11434/v1`";
        assert_eq!(refused(&["--model", "gpt-5"]), wrong);
        assert_eq!(refused(&["--model-name", "gpt-5"]), "--model-name is nothing without --model URL");
        for nonsense in ["", "8081", "a:1,", "a:0", ":1", "a:1 b:2", "::1:80", "[::1]:0", "http://a:80"] {
            let said = refused(&["--peers", nonsense]);
            assert!(
                said.starts_with(&format!("--peers is `{nonsense}`; expected addresses or hosts")),
                "{said}"
            );
        }
    }

    #[test]
    fn peers_are_separated_by_commas() {
        let Ok(Command::Serve(args)) = parse(&["--peers", "127.0.0.1:8091,[::1]:8091,agents.internal:8081"])
        else {
            panic!("no command to serve")
        };
        assert_eq!(args.peers, ["127.0.0.1:8091", "[::1]:8091", "agents.internal:8081"]);
    }
}
