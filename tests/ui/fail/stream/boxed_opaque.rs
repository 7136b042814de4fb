use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use monitor_runtime::track_agent;

struct Silence;

impl Stream for Silence {
    type Item = char;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<char>> {
        Poll::Ready(None)
    }
}

#[track_agent]
fn plan(goal: &'static str) -> Pin<Box<impl Future<Output = usize>>> {
    Box::pin(async move { goal.len() })
}

#[track_agent]
async fn letters() -> Result<Pin<Box<impl Stream<Item = char>>>, String> {
    Ok(Box::pin(Silence))
}

fn main() {
    drop((plan("ship"), letters()));
}
