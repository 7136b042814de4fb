//! Questions that the service asks itself, including ones that fail.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::Client;
use crate::question;

/// Maximum number of questions in flight; at the maximum, the next one waits.
const MOST_OPEN: usize = 64;

/// Number of topics of a big question.
const MANY: usize = 16;

/// Timeout of an ordinary client.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the given number of questions a second about these topics, until dropped.
pub(crate) async fn run(client: Client, per_second: u32, topics: Vec<String>) {
    let topics = Arc::new(topics);
    let open = Arc::new(Semaphore::new(MOST_OPEN));
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in 0_usize.. {
        ticks.tick().await;
        let Ok(permit) = Arc::clone(&open).acquire_owned().await else { return };
        let topics = Arc::clone(&topics);
        tokio::spawn(async move {
            if let Err(error) = take_turn(client, turn, &topics).await {
                tracing::debug!(error = &*error as &dyn std::error::Error, "a client got no answer");
            }
            drop(permit);
        });
    }
}

/// Of ten turns, five ask about one topic and one about two. One asks a question that no notes answer, one asks a big question
/// with a short time limit, one asks nothing, and one leaves before the answer. Then the list of runs is requested.
async fn take_turn(client: Client, turn: usize, topics: &[String]) -> anyhow::Result<()> {
    let topic = |number: usize| topics[number % topics.len()].as_str();
    let about_one = format!("What do the notes say about {}?", topic(turn));
    let about_two = format!("What do the notes say about {} and {}?", topic(turn), topic(turn / 2 + 1));
    match turn % 10 {
        0..5 => client.ask(&about_one, PATIENCE).await?,
        5 => client.ask(&about_two, PATIENCE).await?,
        6 => client.ask_within(&about_much(topics, turn), 1, PATIENCE).await?,
        7 => client.ask("Which yeast makes sourdough rise overnight?", PATIENCE).await?,
        8 => client.ask("", PATIENCE).await?,
        _ => {
            client.list_runs(PATIENCE).await?;
            client.ask(&about_two, Duration::ZERO).await?
        }
    };
    Ok(())
}

/// A question that takes all rounds: it names many topics, and half as many unknown words. No draft therefore answers it in
/// full, and every draft answers most of it.
fn about_much(topics: &[String], turn: usize) -> String {
    let many = topics.len().min(MANY);
    let topics = topics.iter().cycle().skip(turn).take(many).cloned();
    let others = (0..many.div_ceil(2)).map(|number| format!("unheard{number}"));
    topics.chain(others).collect::<Vec<_>>().join(", ").chars().take(question::LONGEST).collect()
}
