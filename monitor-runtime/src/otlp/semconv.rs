//! Every name of OpenTelemetry's that an exported span carries: they stand here and nowhere else.
//!
//! They are those of the semantic conventions 1.41.0, the last release that holds the ones for generative AI beside those for
//! databases and for HTTP: <https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs>.

/// The schema that the exported names belong to.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";

/// Of spans: `docs/gen-ai/gen-ai-agent-spans.md`, the spans for an agent and for a tool in the same process.
pub(super) mod gen_ai {
    pub(crate) const OPERATION_NAME: &str = "gen_ai.operation.name";
    pub(crate) const AGENT_NAME: &str = "gen_ai.agent.name";
    pub(crate) const TOOL_NAME: &str = "gen_ai.tool.name";
    pub(crate) const INVOKE_AGENT: &str = "invoke_agent";
    pub(crate) const EXECUTE_TOOL: &str = "execute_tool";
}

/// Of spans: `docs/db/database-spans.md`. A query's name is a summary of it; which system answers is not known.
pub(super) mod db {
    pub(crate) const SYSTEM_NAME: &str = "db.system.name";
    pub(crate) const OTHER_SQL: &str = "other_sql";
    pub(crate) const OPERATION_NAME: &str = "db.operation.name";
    pub(crate) const QUERY_SUMMARY: &str = "db.query.summary";
}

/// Of spans: `docs/http/http-spans.md`, the span of a server.
pub(super) mod http {
    pub(crate) const REQUEST_METHOD: &str = "http.request.method";
    pub(crate) const ROUTE: &str = "http.route";
    pub(crate) const STATUS_CODE: &str = "http.response.status_code";
    pub(crate) const URL_PATH: &str = "url.path";
    pub(crate) const URL_SCHEME: &str = "url.scheme";
    /// The value of [`REQUEST_METHOD`] for a method that is not known, and what its span is called.
    pub(crate) const OTHER_METHOD: &str = "_OTHER";
    pub(crate) const OTHER_METHOD_SPAN: &str = "HTTP";
}

/// Of spans: `docs/general/recording-errors.md`.
pub(super) mod error {
    pub(crate) const TYPE: &str = "error.type";
    /// An error about which nothing is known that has few values.
    pub(crate) const OTHER: &str = "_OTHER";
    pub(crate) const PANIC: &str = "panic";
    pub(crate) const CANCELLED: &str = "cancelled";
}

/// Of the resource: `docs/resource/README.md`.
pub(super) mod resource {
    pub(crate) const SERVICE_NAME: &str = "service.name";
    pub(crate) const SERVICE_VERSION: &str = "service.version";
    pub(crate) const SERVICE_INSTANCE: &str = "service.instance.id";
    pub(crate) const SDK_NAME: &str = "telemetry.sdk.name";
    pub(crate) const SDK_LANGUAGE: &str = "telemetry.sdk.language";
    pub(crate) const SDK_VERSION: &str = "telemetry.sdk.version";
}
