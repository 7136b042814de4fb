//! Log lines: whatever is bound and logged, under whatever names and rules, they say what the model says.

use arbitrary::{Result, Unstructured};
use monitor_runtime::fuzzing;
use monitor_runtime::logging::{Format, Logging};

use crate::support::log_case::{Field, LogCase, Logged, Rules, breaks_a_line};
use crate::support::log_line::LogLine;

/// Names that collide, and names of the line itself.
const NAMES: [&str; 16] = [
    "a",
    "field.a",
    "a.chain",
    "level",
    "event",
    "logger",
    "timestamp",
    "field.event",
    "message",
    "request_id",
    "agent_id",
    "trace_id",
    "error",
    "password",
    "r#type",
    "",
];

/// Logs one case made of the input, and reads its line back.
///
/// # Panics
///
/// If the line is no valid one, or says anything else than the model.
pub fn json_line(input: &[u8]) {
    let mut input = Unstructured::new(input);
    if let (Ok(case), Ok(rules)) = (case(&mut input), rules(&mut input)) {
        check(&case, &rules);
    }
}

fn check(case: &LogCase, rules: &Rules) {
    let lines = |format| {
        let logging = rules.apply(Logging::builder().format(format));
        String::from_utf8(fuzzing::lines(&logging, || case.log())).expect("lines are UTF-8")
    };
    let read = LogLine::read_all(&lines(Format::Json));
    assert_eq!(read.len(), 1);
    assert_eq!(case.compare(&read[0], rules), Ok(()));
    let pretty = lines(Format::Pretty);
    assert!(pretty.strip_suffix('\n').is_some_and(|line| !line.contains(breaks_a_line)), "{pretty:?}");
}

fn case(input: &mut Unstructured<'_>) -> Result<LogCase> {
    let spans = (0..input.int_in_range(0..=2)?).map(|_| fields(input, 3)).collect::<Result<_>>()?;
    let bound: Vec<Field> = fields(input, 2)?;
    let spans: Vec<Vec<Field>> = spans;
    // Without a span there is nothing to bind to.
    let bound = if spans.is_empty() { Vec::new() } else { bound };
    Ok(LogCase { spans, bound, event: fields(input, 5)?, target: input.arbitrary()? })
}

fn fields(input: &mut Unstructured<'_>, most: u8) -> Result<Vec<Field>> {
    (0..input.int_in_range(0..=most)?).map(|_| Ok((name(input)?, logged(input)?))).collect()
}

fn name(input: &mut Unstructured<'_>) -> Result<String> {
    if input.ratio(1, 8)? { input.arbitrary() } else { Ok((*input.choose(&NAMES)?).to_owned()) }
}

fn logged(input: &mut Unstructured<'_>) -> Result<Logged> {
    Ok(match input.int_in_range(0..=9)? {
        0 => Logged::Signed(input.arbitrary()?),
        1 => Logged::Unsigned(input.arbitrary()?),
        2 => Logged::Wide(input.arbitrary()?),
        3 => Logged::Float(input.arbitrary()?),
        4 => Logged::Truth(input.arbitrary()?),
        5 => Logged::Text(input.arbitrary()?),
        6 => Logged::Shown(input.arbitrary()?),
        7 => Logged::Debugged(input.arbitrary()?),
        8 => Logged::Failed(input.arbitrary()?, input.arbitrary()?),
        _ => Logged::Nothing,
    })
}

fn rules(input: &mut Unstructured<'_>) -> Result<Rules> {
    let secrets = (0..input.int_in_range(0..=2)?).map(|_| name(input)).collect::<Result<Vec<_>>>()?;
    let secrets = secrets.into_iter().filter(|name| !name.trim().is_empty()).collect();
    let most = if input.arbitrary()? { Some(input.int_in_range(64..=128)?) } else { None };
    Ok(Rules { secrets, most })
}
