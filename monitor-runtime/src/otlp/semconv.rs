//! All names of OpenTelemetry's conventions that exports contain. No other file spells them out.
//!
//! They are from the semantic conventions 1.41.0, the last release that has the conventions for generative AI together
//! with those for databases and HTTP:
//! <https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs>.

/// The schema of the exported names.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";

/// Spans of agents, of tools in the same process, and of calls of models: `docs/gen-ai/gen-ai-agent-spans.md` and
/// `docs/gen-ai/gen-ai-spans.md`.
pub(super) mod gen_ai {
    pub(crate) const OPERATION_NAME: &str = "gen_ai.operation.name";
    pub(crate) const AGENT_NAME: &str = "gen_ai.agent.name";
    pub(crate) const TOOL_NAME: &str = "gen_ai.tool.name";
    pub(crate) const PROVIDER_NAME: &str = "gen_ai.provider.name";
    pub(crate) const REQUEST_MODEL: &str = "gen_ai.request.model";
    pub(crate) const RESPONSE_MODEL: &str = "gen_ai.response.model";
    pub(crate) const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
    pub(crate) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    pub(crate) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    // These three are of the separate conventions for generative AI, 0.1.0, which renamed those of the cache.
    pub(crate) const CACHED_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
    pub(crate) const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_write.input_tokens";
    pub(crate) const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
    pub(crate) const INVOKE_AGENT: &str = "invoke_agent";
    pub(crate) const EXECUTE_TOOL: &str = "execute_tool";
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
