//! Every metric of this crate: its name, type, help text and labels. No other file spells them out.
//!
//! Names follow the Prometheus conventions (base units, `_total` on counters, `_seconds` on durations):
//! <https://prometheus.io/docs/practices/naming/>.

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// The type in the `# TYPE` line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric, as scrapes show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
    pub(crate) labels: &'static [&'static str],
}

impl Metric {
    /// Checks the names at compile time, so that none of our metrics can make a scrape invalid.
    const fn new(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        assert!(is_name(name), "a metric name is `[a-z_][a-z0-9_]*`");
        let mut at = 0;
        while at < labels.len() {
            assert!(is_name(labels[at]), "a label name is `[a-z_][a-z0-9_]*`");
            at += 1;
        }
        Self { name, kind, help, labels }
    }
}

const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if !(byte.is_ascii_lowercase() || byte == b'_' || (at > 0 && byte.is_ascii_digit())) {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty()
}

macro_rules! catalog {
    ($($ident:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[cfg_attr(
            not(all(feature = "http", feature = "sqlx", feature = "otlp", feature = "tonic")),
            allow(dead_code, reason = "each feature uses its own rows")
        )]
        pub(crate) static $ident: Metric = Metric::new($name, Kind::$kind, &[$($label),*], $help);)*

        /// All metrics, in the order of this file.
        pub(crate) static ALL: &[&Metric] = &[$(&$ident),*];
    };
}

catalog! {
    AGENT_EXECUTIONS = Counter "agent_executions_total" ["agent_id", "status"]
        "Agent executions that ended, by outcome.";
    AGENT_DURATION = Histogram "agent_execution_duration_seconds" ["agent_id", "status"]
        "Time from an agent execution's start to its end, by outcome.";
    AGENT_FIRST_ITEM = Histogram "agent_time_to_first_item_seconds" ["agent_id"]
        "Time from the start of a streaming agent execution to its first item.";
    AGENT_ACTIVE = Gauge "active_agents" ["agent_id"]
        "Agent executions that have started and not yet ended.";
    AGENT_OBJECTIVE = Gauge "agent_objective_info" ["agent_id", "success", "latency"]
        "1, with the objective of the agent's executions as labels.";
    AGENT_OBJECTIVE_SUCCESS = Gauge "agent_objective_success_ratio" ["agent_id"]
        "Target share of agent executions that succeed.";
    AGENT_OBJECTIVE_LIMIT = Gauge "agent_objective_latency_seconds" ["agent_id"]
        "Latency objective for successful agent executions.";
    AGENT_OBJECTIVE_WITHIN = Gauge "agent_objective_latency_ratio" ["agent_id"]
        "Target share of successful agent executions within the latency objective.";
    AGENT_OBJECTIVE_SLOW = Counter "agent_objective_slow_total" ["agent_id"]
        "Successful agent executions that took longer than their latency objective.";
    AGENT_ERRORS = Counter "agent_errors_total" ["agent_id", "error_type"]
        "Agent executions that ended in an error, by the type that the error gives itself.";
    AGENT_MODEL_CALLS = Histogram "agent_model_calls" ["agent_id"]
        "Model calls inside a run, by the run's outermost agent.";
    AGENT_SKILL_CALLS = Histogram "agent_skill_calls" ["agent_id"]
        "Skill calls inside a run, by the run's outermost agent.";
    AGENT_BUDGET_EXCEEDED = Counter "agent_budget_exceeded_total" ["agent_id", "limit"]
        "Agent executions that passed a limit of their budget, by limit.";
    SKILL_EXECUTIONS = Counter "skill_executions_total" ["skill_id", "status"]
        "Skill executions that ended, by outcome.";
    SKILL_DURATION = Histogram "skill_execution_duration_seconds" ["skill_id", "status"]
        "Time from a skill execution's start to its end, by outcome.";
    SKILL_FIRST_ITEM = Histogram "skill_time_to_first_item_seconds" ["skill_id"]
        "Time from the start of a streaming skill execution to its first item.";
    SKILL_ACTIVE = Gauge "active_skills" ["skill_id"]
        "Skill executions that have started and not yet ended.";
    SKILL_OBJECTIVE = Gauge "skill_objective_info" ["skill_id", "success", "latency"]
        "1, with the objective of the skill's executions as labels.";
    SKILL_OBJECTIVE_SUCCESS = Gauge "skill_objective_success_ratio" ["skill_id"]
        "Target share of skill executions that succeed.";
    SKILL_OBJECTIVE_LIMIT = Gauge "skill_objective_latency_seconds" ["skill_id"]
        "Latency objective for successful skill executions.";
    SKILL_OBJECTIVE_WITHIN = Gauge "skill_objective_latency_ratio" ["skill_id"]
        "Target share of successful skill executions within the latency objective.";
    SKILL_OBJECTIVE_SLOW = Counter "skill_objective_slow_total" ["skill_id"]
        "Successful skill executions that took longer than their latency objective.";
    SKILL_ERRORS = Counter "skill_errors_total" ["skill_id", "error_type"]
        "Skill executions that ended in an error, by the type that the error gives itself.";
    SKILL_REPEATS = Counter "skill_repeats_total" ["skill_id"]
        "Skill executions with the arguments of at least two earlier successful ones of the same run.";
    SKILL_RETRIES = Counter "skill_retries_total" ["skill_id"]
        "Skill executions that are a further attempt after a failed one of the same run.";
    DB_QUERIES = Counter "db_queries_total" ["operation", "query", "status"]
        "Database queries that ended, by outcome.";
    DB_DURATION = Histogram "db_query_duration_seconds" ["operation", "query", "status"]
        "Time from a database query's start to its end, by outcome.";
    DB_ERRORS = Counter "db_query_errors_total" ["operation", "query", "error_type"]
        "Database queries that ended in an error, by the type that the error gives itself.";
    MODEL_CALLS = Counter "model_calls_total" ["provider", "model", "status"]
        "Model calls that ended, by outcome.";
    MODEL_DURATION = Histogram "model_call_duration_seconds" ["provider", "model", "status"]
        "Time from a model call's start to its end, by outcome.";
    MODEL_FIRST_CHUNK = Histogram "model_time_to_first_chunk_seconds" ["provider", "model"]
        "Time from the start of a streaming model call to its first chunk.";
    MODEL_ACTIVE = Gauge "active_model_calls" ["provider", "model"]
        "Model calls that have started and not yet ended.";
    MODEL_ERRORS = Counter "model_errors_total" ["provider", "model", "error_type"]
        "Model calls that ended in an error, by the type that the error gives itself.";
    MODEL_INPUT_TOKENS = Counter "model_input_tokens_total" ["agent_id", "provider", "model"]
        "Input tokens of model calls, those of the cache included, by innermost agent.";
    MODEL_OUTPUT_TOKENS = Counter "model_output_tokens_total" ["agent_id", "provider", "model"]
        "Output tokens of model calls, those of reasoning included, by innermost agent.";
    MODEL_CACHED_TOKENS = Counter "model_cached_input_tokens_total" ["agent_id", "provider", "model"]
        "Input tokens of model calls that were read from the provider's cache, by innermost agent.";
    MODEL_CACHE_WRITE_TOKENS = Counter "model_cache_write_input_tokens_total" ["agent_id", "provider", "model"]
        "Input tokens of model calls that were written to the provider's cache, by innermost agent.";
    MODEL_REASONING_TOKENS = Counter "model_reasoning_output_tokens_total" ["agent_id", "provider", "model"]
        "Output tokens of model calls that were used for reasoning, by innermost agent.";
    MODEL_UNPRICED_TOKENS = Counter "model_unpriced_tokens_total" ["agent_id", "provider", "model"]
        "Input and output tokens of model calls without a known cost, by innermost agent.";
    MODEL_COST = Counter "model_cost_usd_total" ["agent_id", "provider", "model"]
        "Cost of model calls in US dollars, by innermost agent.";
    MODEL_USAGE_UNKNOWN = Counter "model_usage_unknown_total" ["provider", "model", "reason"]
        "Model calls that reported no usage, by reason.";
    MODEL_USAGE_CORRECTED = Counter "model_usage_corrected_total" ["provider", "model"]
        "Model calls whose reported usage contradicted itself and was corrected.";
    MODEL_RETRIES = Counter "model_retries_total" ["provider", "model"]
        "Further attempts of model calls.";
    DB_CONNECTIONS_ACTIVE = Gauge "db_connections_active" ["pool"]
        "Connections of the pool that are leased.";
    DB_CONNECTIONS_IDLE = Gauge "db_connections_idle" ["pool"]
        "Connections of the pool that are open and not leased.";
    DB_CONNECTIONS_MAX = Gauge "db_connections_max" ["pool"]
        "Maximum number of connections of the pool.";
    HTTP_REQUESTS = Counter "http_requests_total" ["method", "endpoint", "status"]
        "HTTP requests that ended, by matched route and status code; 499 is a client that left.";
    HTTP_DURATION = Histogram "http_request_duration_seconds" ["method", "endpoint"]
        "Time from an HTTP request's arrival to the end of its response body.";
    HTTP_IN_FLIGHT = Gauge "http_requests_in_flight" []
        "HTTP requests that have arrived and not yet ended.";
    GRPC_REQUESTS = Counter "grpc_requests_total" ["grpc_service", "grpc_method", "grpc_code"]
        "gRPC calls that ended, by service, method and status code.";
    HTTP_CONNECTIONS = Gauge "http_connections_open" ["listener"]
        "Open connections by listener, including upgraded ones.";
    HTTP_CONNECTIONS_CLOSED = Counter "http_connections_closed_total" ["listener", "reason"]
        "Connections closed, by listener and reason.";
    HTTP_CONNECTIONS_REFUSED = Counter "http_connections_refused_total" ["listener", "reason"]
        "Connections refused, by listener and by the limit they reached.";
    HEALTH_READY = Gauge "health_ready" []
        "1 if readiness now answers 200, else 0.";
    HEALTH_STATUS = Gauge "health_check_status" ["check"]
        "1 if the check is healthy now, else 0.";
    HEALTH_STALE = Gauge "health_check_stale" ["check"]
        "1 if the check's last result is stale, else 0.";
    HEALTH_DURATION = Gauge "health_check_duration_seconds" ["check"]
        "Duration of the check's last run.";
    HEALTH_LAST_SUCCESS = Gauge "health_check_last_success_timestamp_seconds" ["check"]
        "Unix time of the check's last run that passed.";
    HEALTH_RUNS = Counter "health_check_runs_total" ["check", "outcome"]
        "Runs of the check that ended or passed their deadline, by outcome.";
    HEALTH_TRANSITIONS = Counter "health_check_transitions_total" ["check", "to"]
        "State transitions of the check, by new state.";
    DISK_FREE = Gauge "disk_free_bytes" ["path"]
        "Bytes free for unprivileged users on the path's disk, as last read.";
    DISK_SIZE = Gauge "disk_size_bytes" ["path"]
        "Size in bytes of the path's disk, as last read.";
    LOG_EVENTS = Counter "log_events_total" ["level"]
        "Log events by level.";
    LOG_WRITTEN = Counter "log_events_written_total" []
        "Log lines written whole to the output.";
    LOG_DROPPED = Counter "log_events_dropped_total" []
        "Log lines dropped because the queue was full or the output refused them.";
    LOG_SUPPRESSED = Counter "log_events_suppressed_total" []
        "Log events suppressed by a rate limit before they became lines.";
    PANICS = Counter "panics_total" []
        "Panics since the panic hook was installed, caught or not.";
    SERIES_OVERFLOW = Counter "monitor_series_overflow_total" ["metric"]
        "Records kept under __overflow__ because their metric had reached its series limit.";
    RUN_RECORDS_LOST = Counter "monitor_run_records_lost_total" ["record"]
        "Runs and events that the recorder of runs had no room for.";
    OTLP_EXPORTS = Counter "otlp_exports_total" ["outcome", "signal"]
        "Export requests to the collector, by outcome.";
    OTLP_DROPPED = Counter "otlp_dropped_total" ["signal"]
        "Spans, or data points of metrics, that did not reach the collector.";
    BUILD_INFO = Gauge "build_info" ["service", "version"]
        "1, with the running service's name and version as labels.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_metrics_share_a_name() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn counters_end_in_total_and_histograms_in_seconds_or_calls() {
        for metric in ALL {
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            if metric.kind == Kind::Histogram {
                let ends = ["_seconds", "_model_calls", "_skill_calls"];
                assert!(ends.iter().any(|end| metric.name.ends_with(end)), "{}", metric.name);
            }
        }
    }
}
