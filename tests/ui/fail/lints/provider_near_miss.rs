#![deny(deprecated)]

use monitor_runtime::track_model;

#[track_model("gpt-5", provider = "OpenAI")]
fn complete() {}

#[track_model(model = model, provider = "antropic", fields(model_size = 7))]
async fn complete_later(model: &str) {}

struct Client;

#[track_model("gpt-5", provider = "open_ai")]
impl Client {
    fn complete(&self) {}

    fn complete_again(&self) {}
}

#[allow(deprecated)]
#[track_model("gpt-5", provider = "Cohere")]
fn complete_elsewhere() {}

/// A provider of their own.
#[track_model("gpt-5", provider = "ollama")]
fn complete_here() {}

fn main() {
    complete();
    drop(complete_later(""));
    Client.complete();
    Client.complete_again();
    complete_elsewhere();
    complete_here();
}
