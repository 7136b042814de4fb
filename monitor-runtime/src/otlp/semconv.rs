//! All names of OpenTelemetry's conventions that exports contain. No other file spells them out.
//!
//! Those for generative AI are from their own conventions, [`GEN_AI_VERSION`]:
//! <https://github.com/open-telemetry/semantic-conventions-genai/tree/v0.1.0/docs/gen-ai>. All others are from the semantic
//! conventions 1.41.0: <https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs>.

/// The schema of the resource, and of the spans outside of the conventions for generative AI.
///
/// A schema URL holds for one scope, so spans of both conventions are in two. The scope for generative AI has none: its
/// conventions say "TODO" for their schema URL and publish no schema file, and that of 1.41.0 lacks their names. Metrics have
/// none either, since our own names are of no convention.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";

/// The release of the conventions for generative AI. It is an attribute of their scope, in place of a schema URL.
pub(super) const GEN_AI_VERSION: &str = "0.1.0";

/// Attributes that are of no convention.
pub(super) mod own {
    /// The run that a span is part of; log lines and exemplars have it as `run_id`.
    pub(crate) const RUN_ID: &str = "monitor.run_id";
    /// The attribute of a scope with [`GEN_AI_VERSION`](super::GEN_AI_VERSION).
    pub(crate) const GEN_AI_CONVENTIONS: &str = "monitor.gen_ai_conventions";
}

/// Spans of agents, of tools in the same process, and of calls of models: `gen-ai-agent-spans.md`, `client-inference.md` and
/// `client-embeddings.md`.
pub(super) mod gen_ai {
    pub(crate) const OPERATION_NAME: &str = "gen_ai.operation.name";
    pub(crate) const AGENT_NAME: &str = "gen_ai.agent.name";
    pub(crate) const TOOL_NAME: &str = "gen_ai.tool.name";
    pub(crate) const PROVIDER_NAME: &str = "gen_ai.provider.name";
    pub(crate) const REQUEST_MODEL: &str = "gen_ai.request.model";
    pub(crate) const RESPONSE_MODEL: &str = "gen_ai.response.model";
    pub(crate) const REQUEST_STREAM: &str = "gen_ai.request.stream";
    pub(crate) const RESPONSE_ID: &str = "gen_ai.response.id";
    pub(crate) const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
    pub(crate) const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
    pub(crate) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    pub(crate) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    pub(crate) const CACHED_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
    pub(crate) const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_write.input_tokens";
    pub(crate) const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
    pub(crate) const TOKEN_MODALITY: &str = "gen_ai.token.modality";
    /// The modality of tokens that the provider does not break down.
    pub(crate) const UNKNOWN_MODALITY: &str = "unknown";
    pub(crate) const INVOKE_AGENT: &str = "invoke_agent";
    pub(crate) const EXECUTE_TOOL: &str = "execute_tool";
    pub(crate) const EMBEDDINGS: &str = "embeddings";
    pub(crate) const RETRIEVAL: &str = "retrieval";
    /// Instrumentations should not report the usage of this operation again.
    pub(crate) const FETCH_RESPONSE: &str = "fetch_response";
}

/// Metrics for generative AI: `client-inference.md`, `gen-ai-token-metrics.md`, `client-embeddings.md` and
/// `gen-ai-metrics.md`.
pub(super) mod gen_ai_metrics {
    use super::error::TYPE;
    use super::gen_ai::{
        AGENT_NAME, OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, TOKEN_MODALITY, TOOL_NAME,
    };
    use crate::families::catalog::{Kind, Metric};

    /// A metric with its unit, and its bounds if it is a histogram.
    #[derive(Debug)]
    pub(crate) struct Instrument {
        pub(crate) metric: Metric,
        pub(crate) unit: &'static str,
        pub(crate) bounds: &'static [f64],
    }

    /// The common begin of their names.
    pub(crate) const PREFIX: &str = "gen_ai.";

    const DOUBLING: &[f64] =
        &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
    const AGENT: &[f64] = &[0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6];
    const CALLS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
    /// Powers of four.
    const TOKENS: &[f64] = &[
        1.0,
        4.0,
        16.0,
        64.0,
        256.0,
        1_024.0,
        4_096.0,
        16_384.0,
        65_536.0,
        262_144.0,
        1_048_576.0,
        4_194_304.0,
        16_777_216.0,
        67_108_864.0,
    ];

    const MODEL: &[&str] = &[OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL];
    const MODEL_OR_ERROR: &[&str] = &[OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, TYPE];
    const AGENT_CALL: &[&str] = &[OPERATION_NAME, AGENT_NAME];
    const USAGE: &[&str] = &[OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, TOKEN_MODALITY];

    macro_rules! table {
        ($($ident:ident = $kind:ident $name:literal $unit:literal $bounds:expr, $labels:expr, $help:literal;)*) => {
            $(pub(crate) static $ident: Instrument = Instrument {
                metric: Metric { name: $name, kind: Kind::$kind, help: $help, labels: $labels },
                unit: $unit,
                bounds: $bounds,
            };)*
        };
    }

    table! {
        INFERENCE_DURATION = Histogram "gen_ai.client.inference.duration" "s" DOUBLING, MODEL_OR_ERROR,
            "Time from a model call's start to its end.";
        FIRST_CHUNK = Histogram "gen_ai.client.inference.time_to_first_chunk" "s" DOUBLING, MODEL,
            "Time from the start of a streaming model call to its first chunk.";
        INPUT_TOKENS = Counter "gen_ai.client.inference.usage.input_tokens" "{token}" &[], USAGE,
            "Input tokens of model calls, those of the cache included.";
        OUTPUT_TOKENS = Counter "gen_ai.client.inference.usage.output_tokens" "{token}" &[], USAGE,
            "Output tokens of model calls, those of reasoning included.";
        CACHE_READ_TOKENS = Counter "gen_ai.client.inference.usage.cache_read.input_tokens" "{token}" &[], USAGE,
            "Input tokens of model calls that were read from the provider's cache.";
        CACHE_WRITE_TOKENS = Counter "gen_ai.client.inference.usage.cache_write.input_tokens" "{token}" &[], USAGE,
            "Input tokens of model calls that were written to the provider's cache.";
        REASONING_TOKENS = Counter "gen_ai.client.inference.usage.reasoning.output_tokens" "{token}" &[], USAGE,
            "Output tokens of model calls that were used for reasoning.";
        EMBEDDINGS_DURATION = Histogram "gen_ai.client.embeddings.duration" "s" DOUBLING, MODEL_OR_ERROR,
            "Time from the start of an embeddings call to its end.";
        EMBEDDINGS_TOKENS = Histogram "gen_ai.client.embeddings.operation.input_tokens" "{token}" TOKENS, MODEL,
            "Input tokens of each embeddings call that succeeded.";
        OPERATION_DURATION = Histogram "gen_ai.client.operation.duration" "s" DOUBLING, MODEL_OR_ERROR,
            "Time from a call's start to its end, of operations other than inference and embeddings.";
        AGENT_DURATION = Histogram "gen_ai.invoke_agent.duration" "s" AGENT, &[OPERATION_NAME, AGENT_NAME, TYPE],
            "Time from an agent call's start to its end.";
        AGENT_INFERENCE_CALLS = Histogram "gen_ai.invoke_agent.inference_calls" "{inference_call}" CALLS, AGENT_CALL,
            "Model calls inside an agent call that no other agent encloses.";
        AGENT_TOOL_CALLS = Histogram "gen_ai.invoke_agent.tool_calls" "{tool_call}" CALLS, AGENT_CALL,
            "Skill calls inside an agent call that no other agent encloses.";
        TOOL_DURATION = Histogram "gen_ai.execute_tool.duration" "s" DOUBLING, &[TOOL_NAME, TYPE],
            "Time from a skill call's start to its end.";
    }
}

/// Spans of queries: `docs/db/database-spans.md`. The id of a query serves as its summary; the database system is
/// unknown.
pub(super) mod db {
    pub(crate) const SYSTEM_NAME: &str = "db.system.name";
    pub(crate) const OTHER_SQL: &str = "other_sql";
    pub(crate) const OPERATION_NAME: &str = "db.operation.name";
    pub(crate) const QUERY_SUMMARY: &str = "db.query.summary";
}

/// Spans of servers: `docs/http/http-spans.md`.
pub(super) mod http {
    pub(crate) const REQUEST_METHOD: &str = "http.request.method";
    pub(crate) const ROUTE: &str = "http.route";
    pub(crate) const STATUS_CODE: &str = "http.response.status_code";
    pub(crate) const URL_PATH: &str = "url.path";
    pub(crate) const URL_SCHEME: &str = "url.scheme";
    /// The value of [`REQUEST_METHOD`] for an unknown method, and the name of its span.
    pub(crate) const OTHER_METHOD: &str = "_OTHER";
    pub(crate) const OTHER_METHOD_SPAN: &str = "HTTP";
}

/// Errors on spans: `docs/general/recording-errors.md`.
pub(super) mod error {
    pub(crate) const TYPE: &str = "error.type";
    /// The type of an error without a low-cardinality description.
    pub(crate) const OTHER: &str = "_OTHER";
    pub(crate) const PANIC: &str = "panic";
    pub(crate) const CANCELLED: &str = "cancelled";
}

/// The resource: `docs/resource/README.md`.
pub(super) mod resource {
    pub(crate) const SERVICE_NAME: &str = "service.name";
    pub(crate) const SERVICE_VERSION: &str = "service.version";
    pub(crate) const SERVICE_INSTANCE: &str = "service.instance.id";
    pub(crate) const SDK_NAME: &str = "telemetry.sdk.name";
    pub(crate) const SDK_LANGUAGE: &str = "telemetry.sdk.language";
    pub(crate) const SDK_VERSION: &str = "telemetry.sdk.version";
}
