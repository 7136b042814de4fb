//! `#[track_skill]`, and what the impl-block form tracks.

#![allow(clippy::unused_async, reason = "the async form is what is tested")]

use monitor_runtime::testing::Recording;
use monitor_runtime::{track_agent, track_skill};

fn succeeded(recording: &Recording, skill: &str) -> f64 {
    recording.value("skill_executions_total", &[("skill_id", skill), ("status", "success")])
}

#[track_skill]
async fn search(query: &str) -> usize {
    query.len()
}

#[tokio::test]
async fn a_skill_has_metrics_of_its_own() {
    let recording = Recording::start();
    search("rust").await;
    assert_eq!(succeeded(&recording, "search"), 1.0);
    assert_eq!(recording.value("agent_executions_total", &[("agent_id", "search")]), 0.0);
}

struct Toolbox<T> {
    items: Vec<T>,
}

#[track_skill(level = "debug")]
impl<T: Clone + Send + Sync> Toolbox<T> {
    /// Constants and attributes of the block survive.
    const LIMIT: usize = 2;

    #[must_use]
    fn first(&self) -> Option<&T> {
        self.items.first()
    }

    async fn push(&mut self, item: T) -> &mut Vec<T> {
        self.items.truncate(Self::LIMIT - 1);
        self.items.push(item);
        &mut self.items
    }

    #[track(skip)]
    fn len(&self) -> usize {
        self.items.len()
    }

    #[track("toolbox_clear", fields(len = self.items.len()))]
    fn clear(&mut self) {
        self.items.clear();
    }

    #[track_agent("toolbox_agent")]
    fn own_attribute(self) -> Vec<T> {
        self.items
    }

    fn without_receiver(items: Vec<T>) -> Self {
        Self { items }
    }
}

#[tokio::test]
async fn every_method_of_a_block_is_tracked_under_its_types_name_unless_it_says_otherwise() {
    let recording = Recording::start();
    let mut toolbox = Toolbox::without_receiver(vec![1, 2, 3]);
    assert_eq!(toolbox.first(), Some(&1));
    assert_eq!(toolbox.push(9).await, &[1, 9]);
    assert_eq!(toolbox.len(), 2);
    toolbox.clear();
    assert!(toolbox.own_attribute().is_empty());

    for tracked in ["Toolbox::without_receiver", "Toolbox::first", "Toolbox::push", "toolbox_clear"] {
        assert_eq!(succeeded(&recording, tracked), 1.0, "{tracked}");
    }
    for left_out in ["Toolbox::len", "Toolbox::clear", "Toolbox::own_attribute", "toolbox_agent"] {
        assert_eq!(succeeded(&recording, left_out), 0.0, "{left_out}");
    }
    assert_eq!(recording.value("agent_executions_total", &[("agent_id", "toolbox_agent")]), 1.0);
}

trait Tool {
    fn call(&self) -> u8;

    fn call_twice(&self) -> u8 {
        self.call() * 2
    }
}

#[track_skill]
impl Tool for u8 {
    fn call(&self) -> u8 {
        *self
    }
}

#[test]
fn a_trait_impl_is_tracked_like_any_block() {
    let recording = Recording::start();
    assert_eq!(2_u8.call_twice(), 4);
    assert_eq!(succeeded(&recording, "u8::call"), 1.0);
}
