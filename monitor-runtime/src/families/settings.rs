//! The configuration of the process's metrics: one value, set once.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::calls::{self, CALL_BUCKETS, CallKind, MODEL_BUCKETS, QUERY_BUCKETS};
use super::family::{self, DEFAULT_LIMIT, Held};
use super::requests::{self, HTTP_BUCKETS};
use crate::cells::buckets::{self, BucketError};
use crate::cells::exemplars;
use crate::cells::index::Series;
use crate::cells::native::{NativeHistogramError, NativeHistograms};
use crate::error_chain::debug_as_text;

/// Every setting of the process's metrics.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) agent_buckets: Vec<f64>,
    pub(crate) skill_buckets: Vec<f64>,
    pub(crate) query_buckets: Vec<f64>,
    pub(crate) model_buckets: Vec<f64>,
    pub(crate) http_buckets: Vec<f64>,
    pub(crate) series_limit: usize,
    pub(crate) exemplars: bool,
    pub(crate) native_histograms: Option<NativeHistograms>,
}

/// What the process has set. The lock is held while a configuration is checked and applied, so that of two threads one
/// wins with all of its settings.
static IN_USE: Mutex<InUse> = Mutex::new(InUse { given: None, exports_native: false });

struct InUse {
    /// What an earlier `init` was given.
    given: Option<Settings>,
    /// Whether an export has asked for native histograms, which `init` need not repeat.
    exports_native: bool,
}

/// Why a configuration of the metrics was refused; nothing has changed then.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// Bucket bounds make no histogram.
    #[error("invalid {setting}: {reason}")]
    Buckets {
        /// The builder's method.
        setting: &'static str,
        /// What is wrong with the bounds.
        reason: BucketError,
    },
    /// Native histograms cannot be kept with these settings.
    #[error("invalid native_histograms: {reason}")]
    NativeHistograms {
        /// What is wrong with them.
        reason: NativeHistogramError,
    },
    /// No series could be kept.
    #[error("the series limit is zero; expected at least 1 series a metric (2000 by default)")]
    ZeroSeriesLimit,
    /// The process has been configured already, with another value of this setting.
    #[error(
        "{setting} is {in_use} in this process, so {given} cannot take effect; expected equal settings each time, where a setting that is left out has its default"
    )]
    AlreadySet {
        /// The builder's method.
        setting: &'static str,
        /// The value in use.
        in_use: String,
        /// The value that was given.
        given: String,
    },
    /// Calls or requests have been recorded already, with another value of this setting.
    #[error(
        "{setting} is {in_use} in series that exist, so {given} cannot take effect; expected `init` before the first tracked call or request"
    )]
    TooLate {
        /// The builder's method.
        setting: &'static str,
        /// The value in use.
        in_use: String,
        /// The value that was given.
        given: String,
    },
}

debug_as_text!(MetricsError);

/// One setting's value, as text that shows and compares it.
type Value = (&'static str, String);

const NATIVE: &str = "native_histograms";

impl Settings {
    /// The settings of a process that nobody configures.
    pub(crate) fn new() -> Self {
        Self {
            agent_buckets: CALL_BUCKETS.to_vec(),
            skill_buckets: CALL_BUCKETS.to_vec(),
            query_buckets: QUERY_BUCKETS.to_vec(),
            model_buckets: MODEL_BUCKETS.to_vec(),
            http_buckets: HTTP_BUCKETS.to_vec(),
            series_limit: DEFAULT_LIMIT,
            exemplars: false,
            native_histograms: None,
        }
    }

    /// Makes these the settings of the process; all of them, or none.
    pub(crate) fn init(self) -> Result<(), MetricsError> {
        self.validate()?;
        // A panic leaves the last configuration that was applied whole, so poison says nothing.
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(given) = &in_use.given {
            return self.require_equal(given);
        }
        self.with_export(in_use.exports_native).apply()?;
        in_use.given = Some(self);
        Ok(())
    }

    /// These settings, with native histograms at their defaults if only an export asks for them.
    fn with_export(&self, exports_native: bool) -> Self {
        let of_export = exports_native.then(NativeHistograms::new);
        Self { native_histograms: self.native_histograms.or(of_export), ..self.clone() }
    }

    fn validate(&self) -> Result<(), MetricsError> {
        for (setting, seconds) in self.buckets() {
            buckets::check(seconds).map_err(|reason| MetricsError::Buckets { setting, reason })?;
        }
        if let Some(native) = self.native_histograms {
            native.check().map_err(|reason| MetricsError::NativeHistograms { reason })?;
        }
        if self.series_limit == 0 { Err(MetricsError::ZeroSeriesLimit) } else { Ok(()) }
    }

    fn buckets(&self) -> [(&'static str, &[f64]); 5] {
        [
            ("agent_buckets", &self.agent_buckets),
            ("skill_buckets", &self.skill_buckets),
            ("query_buckets", &self.query_buckets),
            ("model_buckets", &self.model_buckets),
            ("http_buckets", &self.http_buckets),
        ]
    }

    fn require_equal(&self, in_use: &Self) -> Result<(), MetricsError> {
        let mut pairs = in_use.values().into_iter().zip(self.values());
        match pairs.find(|(in_use, given)| in_use != given) {
            Some(((setting, in_use), (_, given))) => Err(MetricsError::AlreadySet { setting, in_use, given }),
            None => Ok(()),
        }
    }

    fn values(&self) -> Vec<Value> {
        let buckets = self.buckets().map(|(setting, seconds)| (setting, format!("{seconds:?}")));
        let others = [
            ("series_limit", self.series_limit.to_string()),
            ("exemplars", self.exemplars.to_string()),
            (NATIVE, Native(self.native_histograms).to_string()),
        ];
        buckets.into_iter().chain(others).collect()
    }

    /// Holds every family still from the first check to the last change, so that no series is made in between.
    fn apply(&self) -> Result<(), MetricsError> {
        let calls = CallKind::ALL.map(|kind| kind.family().series.hold());
        let requests = requests::metrics().durations.hold();
        let [agents, skills, queries, models, http] = self.buckets();
        for (held, setting) in calls.iter().zip([agents, skills, queries, models]) {
            self.require_room(held, setting)?;
        }
        self.require_room(&requests, http)?;
        for (held, (_, seconds)) in calls.into_iter().zip([agents, skills, queries, models]) {
            held.set(seconds, self.native_histograms);
        }
        requests.set(http.1, self.native_histograms);
        // None of these can fail.
        family::set_limit(self.series_limit);
        if self.exemplars {
            exemplars::keep();
            calls::keep_exemplars();
        }
        Ok(())
    }

    /// Refuses to change what series of the family have been made with.
    fn require_room<S: Series>(
        &self,
        held: &Held<'_, S>,
        (setting, seconds): (&'static str, &[f64]),
    ) -> Result<(), MetricsError> {
        if !held.has_series() {
            return Ok(());
        }
        let (in_use, given) = (Native(held.native()), Native(self.native_histograms));
        let (setting, in_use, given) = if held.bounds() != seconds {
            (setting, format!("{:?}", held.bounds()), format!("{seconds:?}"))
        } else if in_use != given {
            (NATIVE, in_use.to_string(), given.to_string())
        } else {
            return Ok(());
        };
        Err(MetricsError::TooLate { setting, in_use, given })
    }
}

/// Makes the process keep native histograms for an export; those that `init` was given stay as they are.
///
/// Refused if there are series without them.
#[cfg(feature = "otlp")]
pub(crate) fn export_native() -> Result<(), MetricsError> {
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    in_use.given.as_ref().map_or_else(Settings::new, Settings::clone).with_export(true).apply()?;
    in_use.exports_native = true;
    Ok(())
}

/// Native histograms as an error shows them.
#[derive(PartialEq)]
struct Native(Option<NativeHistograms>);

impl fmt::Display for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(native) => write!(f, "{native:?}"),
            None => f.write_str("off"),
        }
    }
}
