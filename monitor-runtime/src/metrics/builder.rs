//! The configuration of the process's metrics.

use crate::cells::native::NativeHistograms;
use crate::families::settings::{MetricsError, Settings};

/// Returns the configuration of the process's metrics, with every setting at its default.
///
/// A process has one configuration, which [`init`](MetricsBuilder::init) sets once, at start. Without one, the defaults apply.
///
/// ```
/// use monitor_runtime::metrics::{self, NativeHistograms};
///
/// let native = NativeHistograms::new().growth(1.05);
/// metrics::builder().agent_buckets([0.1, 1.0, 10.0]).native_histograms(native).init()?;
/// # Ok::<(), metrics::MetricsError>(())
/// ```
pub fn builder() -> MetricsBuilder {
    MetricsBuilder { settings: Settings::new() }
}

/// Collects the settings of the process's metrics; nothing takes effect before [`init`](Self::init).
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `init` is called"]
pub struct MetricsBuilder {
    settings: Settings,
}

impl MetricsBuilder {
    /// Sets the bounds of `agent_execution_duration_seconds` and `agent_time_to_first_item_seconds`, in seconds.
    ///
    /// Bounds are above 0, below 10⁹ and strictly ascending, at least one of them; `+Inf` is added. The default reaches from 0.005
    /// to 600.
    pub fn agent_buckets(mut self, seconds: impl Into<Vec<f64>>) -> Self {
        self.settings.agent_buckets = seconds.into();
        self
    }

    /// Sets the bounds of `skill_execution_duration_seconds` and `skill_time_to_first_item_seconds`, as
    /// [`agent_buckets`](Self::agent_buckets) does.
    pub fn skill_buckets(mut self, seconds: impl Into<Vec<f64>>) -> Self {
        self.settings.skill_buckets = seconds.into();
        self
    }

    /// Sets the bounds of `db_query_duration_seconds`, as [`agent_buckets`](Self::agent_buckets) does; the default reaches from
    /// 0.001 to 10.
    pub fn query_buckets(mut self, seconds: impl Into<Vec<f64>>) -> Self {
        self.settings.query_buckets = seconds.into();
        self
    }

    /// Sets the bounds of `model_call_duration_seconds` and `model_time_to_first_chunk_seconds`, as
    /// [`agent_buckets`](Self::agent_buckets) does; the default doubles from 0.01 to 81.92.
    pub fn model_buckets(mut self, seconds: impl Into<Vec<f64>>) -> Self {
        self.settings.model_buckets = seconds.into();
        self
    }

    /// Sets the bounds of `http_request_duration_seconds`, as [`agent_buckets`](Self::agent_buckets) does; the default reaches
    /// from 0.005 to 10.
    #[cfg(feature = "http")]
    pub fn http_buckets(mut self, seconds: impl Into<Vec<f64>>) -> Self {
        self.settings.http_buckets = seconds.into();
        self
    }

    /// Sets the maximum number of label sets of each metric of calls and requests; 2,000 by default, at least 1.
    ///
    /// Further label sets are counted under `__overflow__`. Label sets that exist stay.
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.settings.series_limit = limit;
        self
    }

    /// Sets whether each bucket of a duration shows an exemplar: a recent call or request, by the `trace_id` bound around it, else
    /// its `request_id`, else its `run_id`. Off by default; then it costs a call nothing.
    ///
    /// OpenMetrics and protobuf show exemplars; the text format cannot. A bucket's exemplar stays for at least a second. Name and
    /// value of the id have at most 128 characters together. An id is skipped if it is longer, contains a `}` or would be escaped
    /// in a log line. Ids of calls come from this crate's log layer; without it, only requests have exemplars.
    pub fn exemplars(mut self, exemplars: bool) -> Self {
        self.settings.exemplars = exemplars;
        self
    }

    /// Keeps all durations as native histograms too, for scrapers that ask for protobuf. Off by default; then they cost neither
    /// time nor memory.
    pub fn native_histograms(mut self, settings: NativeHistograms) -> Self {
        self.settings.native_histograms = Some(settings);
        self
    }

    /// Makes this the configuration of the process; all of its settings, or none.
    ///
    /// Call it once, at start, before the first tracked call or request. Another call with equal settings changes nothing. A
    /// setting that is not set has its default, which counts as a value.
    ///
    /// # Errors
    ///
    /// Returns [`MetricsError`] if
    ///
    /// * a value is not accepted;
    /// * an earlier `init` configured the process with other settings;
    /// * a metric already has series with other bounds or other native histograms.
    ///
    /// The process stays as it was.
    pub fn init(self) -> Result<(), MetricsError> {
        self.settings.init()
    }
}
