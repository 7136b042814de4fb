use std::pin::Pin;

use futures_core::Stream;
use monitor_runtime::track_skill;

#[track_skill]
fn plain() -> Missing {
    todo!()
}

#[track_skill]
async fn asynchronous() -> Missing {
    todo!()
}

#[track_skill]
fn ok() -> Result<Missing, String> {
    todo!()
}

#[track_skill]
async fn error() -> Result<u8, Missing> {
    todo!()
}

#[track_skill]
fn boxed() -> Box<Missing> {
    todo!()
}

#[track_skill]
fn future() -> impl Future<Output = Missing> {
    async { todo!() }
}

#[track_skill]
fn boxed_future() -> Pin<Box<dyn Future<Output = Missing>>> {
    todo!()
}

#[track_skill]
fn stream() -> impl Stream<Item = Missing> {
    todo!()
}

#[track_skill]
fn argument(_argument: Missing) -> u8 {
    1
}

#[track_skill]
async fn argument_of_async(_argument: Missing) -> u8 {
    1
}

struct Tool;

#[track_skill]
impl Tool {
    fn method(&self) -> Missing {
        todo!()
    }

    async fn failing(&self) -> Result<Missing, String> {
        let number: u8 = "1".parse().map_err(|_| String::new())?;
        todo!("{number}")
    }
}

fn main() {}
