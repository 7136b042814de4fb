//! Every argument of `track_agent` on functions and methods.
#![deny(warnings)]
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use monitor_runtime::track_agent;

#[track_agent]
fn plain() -> u8 {
    1
}

#[track_agent("literal", level = "debug", log_errors = "warn")]
async fn literal(text: &str) -> Result<usize, std::num::ParseIntError> {
    Ok(text.parse::<usize>()? + 1)
}

struct Agent {
    name: String,
}

impl Agent {
    #[track_agent(id = self.name, fields(name.length = self.name.len(), %shown, ?debugged, plain))]
    pub fn run(&mut self, shown: char, debugged: Option<u8>, plain: u64) -> &mut String {
        let _ = (shown, debugged, plain);
        &mut self.name
    }

    #[track_agent(id = format!("{}-{round}", self.name), error_if = |text: &String| text.is_empty(), log_errors = false)]
    async fn in_rounds(&self, round: u8) -> String {
        self.name.repeat(round.into())
    }
}

#[track_agent(crate = ::monitor_runtime, ok_if = Option::is_some,)]
fn generic<T: Clone, const N: usize>(values: [T; N]) -> Option<T>
where
    T: PartialEq,
{
    values.first().cloned()
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn main() {
    assert_eq!(plain(), 1);
    assert_eq!(ready(literal("1")), Ok(2));
    let mut agent = Agent { name: "a".to_owned() };
    agent.run('s', None, 1).push('b');
    assert_eq!(ready(agent.in_rounds(2)), "abab");
    assert_eq!(generic([1, 2]), Some(1));
}
