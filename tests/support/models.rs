//! Replies of models, and the metrics of one.

use monitor_runtime::genai::{ModelReply, Usage};
use monitor_runtime::testing::Recording;

/// A reply, or a chunk of one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) usage: Option<Usage>,
}

impl Reply {
    pub(crate) fn of(input: u64, output: u64) -> Self {
        Self { usage: Some(Usage::new(input, output)) }
    }
}

impl ModelReply for Reply {
    fn usage(&self) -> Option<Usage> {
        self.usage
    }
}

/// The values of one model's metrics.
pub(crate) struct Counted<'r>(pub(crate) &'r Recording, pub(crate) &'static str);

impl Counted<'_> {
    pub(crate) fn calls(&self, status: &str) -> f64 {
        self.0.value("model_calls_total", &[("model", self.1), ("status", status)])
    }

    pub(crate) fn unknown(&self, reason: &str) -> f64 {
        self.0.value("model_usage_unknown_total", &[("model", self.1), ("reason", reason)])
    }

    pub(crate) fn of_model(&self, metric: &str) -> f64 {
        self.0.value(metric, &[("model", self.1)])
    }

    pub(crate) fn tokens(&self) -> (f64, f64) {
        (self.of_model("model_input_tokens_total"), self.of_model("model_output_tokens_total"))
    }

    pub(crate) fn tokens_of(&self, agent: &str) -> (f64, f64) {
        let labels = [("agent_id", agent), ("model", self.1)];
        (
            self.0.value("model_input_tokens_total", &labels),
            self.0.value("model_output_tokens_total", &labels),
        )
    }
}
