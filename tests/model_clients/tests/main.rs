//! The spans of `genai` as model calls, and the functions of `docs/models.md`, on replies in the providers' own formats.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use genai::adapter::AdapterKind;
use genai::chat::{ChatOptions, ChatRequest, ChatResponse, ChatStream};
use genai::resolver::{AuthData, Endpoint, ServiceTargetResolver};
use genai::{Client, ModelIden, ServiceTarget};
use model_clients::prices::BundledPrices;
use monitor_runtime::genai::{Usage, set_pricing};
use monitor_runtime::testing::{Recording, capture_logs_async};
use monitor_runtime::{track_agent, track_model};
use serde_json::{Value, json};

/// The counts of every reply of [`serve`].
fn counts() -> Value {
    json!({"prompt_tokens": 812, "completion_tokens": 96, "total_tokens": 908,
        "prompt_tokens_details": {"cached_tokens": 640},
        "completion_tokens_details": {"reasoning_tokens": 64}})
}

fn expected() -> Usage {
    Usage::new(812, 96).cached(640).reasoning(64)
}

/// Serves OpenAI's format until the test ends: a reply at once, or in pieces if the request asks for a stream. A model called
/// `broken` is refused.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            answer(&connection.unwrap());
        }
    });
    address
}

fn answer(mut connection: &TcpStream) {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            return;
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    let response = if request["model"] == "gpt-broken" {
        response("503 Service Unavailable", "application/json", r#"{"error": {"message": "overloaded"}}"#)
    } else if request["stream"] == true {
        let piece = |delta: Value, reason: Value| {
            json!({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-2026",
                "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
        };
        let pieces = [
            piece(json!({"role": "assistant", "content": "By "}), Value::Null),
            piece(json!({"content": "the sea."}), Value::Null),
            piece(json!({}), json!("stop")),
            json!({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-2026",
                "choices": [], "usage": counts()}),
        ];
        let events = pieces.map(|piece| format!("data: {piece}\n\n")).concat();
        response("200 OK", "text/event-stream", &format!("{events}data: [DONE]\n\n"))
    } else {
        let message = json!({"role": "assistant", "content": "By the sea."});
        let reply = json!({"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-2026",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": counts()});
        response("200 OK", "application/json", &reply.to_string())
    };
    connection.write_all(response.as_bytes()).unwrap();
}

fn response(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn client() -> Client {
    let address = serve();
    let target = ServiceTargetResolver::from_resolver_fn(
        move |target: ServiceTarget| -> Result<ServiceTarget, genai::resolver::Error> {
            Ok(ServiceTarget {
                endpoint: Endpoint::from_owned(format!("http://{address}/v1/")),
                auth: AuthData::from_single("no-key"),
                model: ModelIden::new(AdapterKind::OpenAI, target.model.model_name),
            })
        },
    );
    Client::builder().with_service_target_resolver(target).build().unwrap()
}

fn options() -> ChatOptions {
    ChatOptions::default().with_capture_usage(true)
}

/// The ways to call the model.
#[derive(Clone, Copy, Debug)]
struct Way {
    is_streaming: bool,
    is_tracked: bool,
}

const WAYS: [Way; 4] = [
    Way { is_streaming: false, is_tracked: false },
    Way { is_streaming: false, is_tracked: true },
    Way { is_streaming: true, is_tracked: false },
    Way { is_streaming: true, is_tracked: true },
];

async fn ask(client: &Client, way: Way) {
    match (way.is_streaming, way.is_tracked) {
        (false, false) => drop(chat(client, "gpt-test").await.unwrap()),
        (false, true) => drop(tracked(client).await.unwrap()),
        (true, false) => read(stream(client).await.unwrap()).await,
        (true, true) => {
            let mut events = tracked_stream(client).await.unwrap();
            while let Some(event) = events.next().await {
                event.unwrap();
            }
        }
    }
}

async fn read(mut events: ChatStream) {
    while let Some(event) = events.next().await {
        event.unwrap();
    }
}

async fn chat(client: &Client, model: &str) -> Result<ChatResponse, genai::Error> {
    client.exec_chat(model, ChatRequest::from_user("Where?"), Some(&options())).await
}

async fn stream(client: &Client) -> Result<ChatStream, genai::Error> {
    let reply =
        client.exec_chat_stream("gpt-test", ChatRequest::from_user("Where?"), Some(&options())).await?;
    Ok(reply.stream)
}

#[track_model("gpt-test", provider = "openai", usage = model_clients::genai::usage_of_reply)]
async fn tracked(client: &Client) -> Result<ChatResponse, genai::Error> {
    chat(client, "gpt-test").await
}

type Event = Result<genai::chat::ChatStreamEvent, genai::Error>;

#[track_model("gpt-test", provider = "openai", usage = model_clients::genai::usage_of_event)]
async fn tracked_stream(client: &Client) -> Result<BoxStream<'static, Event>, genai::Error> {
    Ok(stream(client).await?.boxed())
}

#[track_agent("researcher")]
async fn research(client: &Client, way: Way) {
    for _ in 0..3 {
        ask(client, way).await;
    }
}

#[track_agent("planner")]
async fn plan(client: &Client, way: Way) {
    ask(client, way).await;
    research(client, way).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tokens_are_the_sum_of_the_replies_in_every_way() {
    let client = client();
    for way in WAYS {
        let recording = Recording::start();
        capture_logs_async(plan(&client, way)).await;
        for (agent, replies) in [("planner", 1.0), ("researcher", 3.0)] {
            let of = |metric| recording.value(metric, &[("agent_id", agent)]);
            assert_eq!(of("model_input_tokens_total"), replies * 812.0, "{way:?}");
            assert_eq!(of("model_output_tokens_total"), replies * 96.0, "{way:?}");
            assert_eq!(of("model_cached_input_tokens_total"), replies * 640.0, "{way:?}");
            assert_eq!(of("model_reasoning_output_tokens_total"), replies * 64.0, "{way:?}");
        }
        let labels = [("provider", "openai"), ("model", "gpt-test"), ("status", "success")];
        assert_eq!(recording.value("model_calls_total", &labels), 4.0, "{way:?}");
        assert_eq!(recording.value("model_calls_total", &[]), 4.0, "{way:?}");
        assert_eq!(recording.value("model_usage_unknown_total", &[]), 0.0, "{way:?}");
        let chunks = if way.is_streaming { 4.0 } else { 0.0 };
        assert_eq!(recording.value("model_time_to_first_chunk_seconds_count", &[]), chunks, "{way:?}");
        assert_eq!(recording.value("active_model_calls", &[]), 0.0, "{way:?}");
    }
}

#[tokio::test]
async fn an_error_of_the_provider_is_one_of_the_call() {
    let client = client();
    let recording = Recording::start();
    capture_logs_async(async { chat(&client, "gpt-broken").await.unwrap_err() }).await;
    let labels = [("model", "gpt-broken"), ("status", "error")];
    assert_eq!(recording.value("model_calls_total", &labels), 1.0);
    assert_eq!(recording.value("model_errors_total", &[("model", "gpt-broken"), ("error_type", "503")]), 1.0);
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_cut() {
    let client = client();
    let recording = Recording::start();
    capture_logs_async(async {
        let mut events = stream(&client).await.unwrap();
        for _ in 0..2 {
            events.next().await.unwrap().unwrap();
        }
    })
    .await;
    assert_eq!(recording.value("model_calls_total", &[("status", "cancelled")]), 1.0);
    assert_eq!(recording.value("model_usage_unknown_total", &[("reason", "stream_cut")]), 1.0);
    assert_eq!(recording.value("model_input_tokens_total", &[]), 0.0);
}

#[test]
fn openai_counts_the_cache_inside_the_input() {
    let reply = serde_json::from_value(counts()).unwrap();
    assert_eq!(model_clients::openai::usage(&reply), expected());
    let chunk =
        json!({"id": "1", "choices": [], "created": 1, "model": "m", "object": "chat.completion.chunk"});
    assert_eq!(model_clients::openai::usage_of_chunk(&serde_json::from_value(chunk).unwrap()), None);
}

#[test]
fn genai_reports_nothing_that_it_does_not_know() {
    let usage = |prompt_tokens, completion_tokens| {
        let counts = genai::chat::Usage { prompt_tokens, completion_tokens, ..Default::default() };
        model_clients::genai::usage(&counts)
    };
    assert_eq!(usage(None, None), Usage::default());
    assert_eq!(usage(Some(3), Some(4)), Usage::new(3, 4));
    assert_eq!(usage(Some(3), None), Usage::default().input(3));
    assert_eq!(usage(Some(-1), Some(4)), Usage::default().output(4));
}

#[test]
fn ollama_reports_in_its_last_piece() {
    let mut piece = json!({"model": "m", "created_at": "2026-11-01T00:00:00Z", "done": false,
        "message": {"role": "assistant", "content": "By "}});
    assert_eq!(model_clients::ollama::usage(&serde_json::from_value(piece.clone()).unwrap()), None);
    let last = json!({"done": true, "total_duration": 5, "load_duration": 1, "prompt_eval_count": 12,
        "prompt_eval_duration": 2, "eval_count": 34, "eval_duration": 2});
    piece.as_object_mut().unwrap().extend(last.as_object().unwrap().clone());
    assert_eq!(
        model_clients::ollama::usage(&serde_json::from_value(piece).unwrap()),
        Some(Usage::new(12, 34))
    );
}

#[test]
fn bedrock_counts_the_cache_beside_the_input() {
    use aws_sdk_bedrockruntime::types::{ConverseStreamMetadataEvent, ConverseStreamOutput, TokenUsage};

    let counts = TokenUsage::builder()
        .input_tokens(172)
        .output_tokens(96)
        .total_tokens(1008)
        .cache_read_input_tokens(640)
        .cache_write_input_tokens(100)
        .build()
        .unwrap();
    let expected = Usage::new(912, 96).cached(640).cache_write(100);
    assert_eq!(model_clients::bedrock::usage(&counts), expected);
    let event = ConverseStreamOutput::Metadata(ConverseStreamMetadataEvent::builder().usage(counts).build());
    assert_eq!(model_clients::bedrock::usage_of_event(&event), Some(expected));

    let counts =
        |input, output| TokenUsage::builder().input_tokens(input).output_tokens(output).total_tokens(0);
    let absent = counts(172, 96).build().unwrap();
    assert_eq!(model_clients::bedrock::usage(&absent), Usage::new(172, 96));
    let negative = counts(-1, 96).cache_read_input_tokens(640).cache_write_input_tokens(-1).build().unwrap();
    assert_eq!(model_clients::bedrock::usage(&negative), Usage::default().output(96).cached(640));
}

#[test]
fn rig_counts_the_cache_inside_the_input() {
    let mut counts = rig_core::completion::Usage::new().input_tokens(812).output_tokens(96);
    counts.cached_input_tokens = Some(640);
    counts.reasoning_tokens = Some(64);
    assert_eq!(model_clients::rig::usage(&counts), expected());
    counts.output_tokens = None;
    assert_eq!(
        model_clients::rig::usage(&counts),
        Usage::default().input(812).cached(640).reasoning(64),
        "an absent count takes no other one with it"
    );
    assert_eq!(model_clients::rig::usage(&rig_core::completion::Usage::new()), Usage::default());
}

/// The cost in billionths of a dollar of a call by the prices of `genai-prices`; `None` if it has none.
fn cost(provider: &str, model: &str, response_model: &str, usage: Usage) -> Option<u64> {
    set_pricing(BundledPrices::load());
    let recording = Recording::start();
    let mut call = monitor_runtime::genai::call(provider, model);
    call.usage(usage);
    call.model(response_model);
    call.finish("stop");
    let labels = [("provider", provider), ("model", model)];
    let is_unpriced = recording.value("model_unpriced_tokens_total", &labels) > 0.0;
    let nanos = (recording.value("model_cost_usd_total", &labels) * 1e9).round() as u64;
    (!is_unpriced).then_some(nanos)
}

#[test]
fn prices_of_a_crate_give_the_cost_by_hand() {
    // In millionths of a dollar: 172 uncached tokens at 1.25, 640 cached ones at 0.125, 96 of the output at 10.
    let cached = Usage::new(812, 96).cached(640).reasoning(64);
    assert_eq!(cost("openai", "gpt-5", "gpt-5-2025-08-07", cached), Some(215_000 + 80_000 + 960_000));
    // 172 at 3, 640 at 0.3, 100 written ones at 3.75, 96 at 15.
    let beside = Usage::beside_cache(172, 640, 100, 96);
    let expected = 516_000 + 192_000 + 375_000 + 1_440_000;
    assert_eq!(cost("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", beside), Some(expected));
    // Of two names, the one that is known.
    assert_eq!(cost("openai", "gpt-5-codex", "house-brand", Usage::new(1000, 100)), Some(2_250_000));
}

#[test]
fn prices_of_a_crate_leave_unknown_models_unpriced() {
    let usage = Usage::new(812, 96);
    assert_eq!(cost("openai", "house-brand", "house-brand", usage), None);
    assert_eq!(cost("local", "gpt-5-unpriced", "gpt-5-unpriced", usage), None);
}
