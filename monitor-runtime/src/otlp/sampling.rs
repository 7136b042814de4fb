//! The sampling of traces.

use opentelemetry::TraceId;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample as _};

use super::error::OtlpError;
use super::variables::Variables;
use crate::trace_context::TraceContext;

/// Decides whether a trace is recorded. The decision is made for its first span in this process, and inner spans follow
/// it.
#[derive(Clone, Debug)]
pub(super) struct Sampling {
    /// Decides on traces without a decision from a caller.
    root: Sampler,
    /// Whether the caller's decision is kept.
    is_parent_based: bool,
}

const EXPECTED: &str = "`always_on`, `always_off`, `traceidratio`, `parentbased_always_on`, `parentbased_always_off` or \
                        `parentbased_traceidratio`";

impl Sampling {
    pub(super) fn read(variables: &Variables<'_>) -> Result<Self, OtlpError> {
        let ratio = variables.read("OTEL_TRACES_SAMPLER_ARG", 1.0, "a number from 0 to 1", |value| {
            value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
        })?;
        let default = Self { root: Sampler::AlwaysOn, is_parent_based: true };
        variables.read("OTEL_TRACES_SAMPLER", default, EXPECTED, |name| {
            let root = name.strip_prefix("parentbased_");
            let is_parent_based = root.is_some();
            let root = match root.unwrap_or(name) {
                "always_on" => Sampler::AlwaysOn,
                "always_off" => Sampler::AlwaysOff,
                "traceidratio" => Sampler::TraceIdRatioBased(ratio),
                _ => return None,
            };
            Some(Self { root, is_parent_based })
        })
    }

    /// Whether to record a trace, given the caller's context.
    pub(super) fn decide(&self, caller: Option<&TraceContext>, trace: TraceId) -> bool {
        if let Some(caller) = caller.filter(|_| self.is_parent_based) {
            return caller.is_sampled();
        }
        let decided = self.root.should_sample(None, trace, "", &SpanKind::Internal, &[], &[]);
        decided.decision == SamplingDecision::RecordAndSample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(name: &'static str, ratio: &'static str) -> Sampling {
        let set = move |asked: &str| match asked {
            "OTEL_TRACES_SAMPLER" => Some(name.to_owned()),
            "OTEL_TRACES_SAMPLER_ARG" => Some(ratio.to_owned()),
            _ => None,
        };
        Sampling::read(&Variables(&set)).unwrap()
    }

    fn caller(is_sampled: bool) -> TraceContext {
        TraceContext::new([1; 16], [1; 8], is_sampled)
    }

    #[test]
    fn by_default_a_trace_is_recorded_unless_its_caller_is_not() {
        let default = Sampling::read(&Variables(&|_: &str| None)).unwrap();
        assert!(default.decide(None, TraceId::from(7)));
        assert!(default.decide(Some(&caller(true)), TraceId::from(7)));
        assert!(!default.decide(Some(&caller(false)), TraceId::from(7)));
    }

    #[test]
    fn only_what_is_based_on_the_parent_keeps_a_callers_decision() {
        for (name, root) in [("always_on", true), ("always_off", false)] {
            assert_eq!(sampling(name, "1").decide(Some(&caller(!root)), TraceId::from(7)), root, "{name}");
        }
        for (name, root) in [("parentbased_always_on", true), ("parentbased_always_off", false)] {
            let sampling = sampling(name, "1");
            assert_eq!(sampling.decide(None, TraceId::from(7)), root, "{name}");
            assert_eq!(sampling.decide(Some(&caller(!root)), TraceId::from(7)), !root, "{name}");
        }
    }

    #[test]
    fn a_ratio_samples_its_share_and_the_same_traces_each_time() {
        let half = sampling("traceidratio", "0.5");
        let decide = |sampling: &Sampling| {
            // Multiples of an odd number are distributed over all ids.
            let ids = (0..1_000_u128)
                .map(|at| TraceId::from(at.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)));
            ids.map(|id| sampling.decide(None, id)).collect::<Vec<_>>()
        };
        let decided = decide(&half);
        assert_eq!(decided, decide(&sampling("parentbased_traceidratio", "0.5")));
        let recorded = decided.iter().filter(|&&is_recorded| is_recorded).count();
        assert!((400..600).contains(&recorded), "{recorded}");
        assert!(decide(&sampling("traceidratio", "0")).iter().all(|&is_recorded| !is_recorded));
        assert!(decide(&sampling("traceidratio", "1")).iter().all(|&is_recorded| is_recorded));
    }
}
