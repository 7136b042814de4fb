use futures_core::Stream;
use monitor_runtime::track_skill;

#[track_skill(error_if = String::is_empty)]
fn tokens(reply: impl Stream<Item = String>) -> impl Stream<Item = String> {
    reply
}
