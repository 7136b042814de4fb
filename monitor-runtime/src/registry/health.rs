//! Health as it is when somebody scrapes: it changes by time alone, so nothing that was set earlier can stand for it.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::labels::Labels;
use super::sink::{Sample, Shown, Sink};
use crate::catalog;

/// Something that knows whether it is ready.
pub(crate) trait HealthSource: Send + Sync {
    /// Says what readiness would be answered now, without waiting.
    fn is_ready(&self) -> bool;
}

static SOURCES: Mutex<Vec<Weak<dyn HealthSource>>> = Mutex::new(Vec::new());

/// Shows a source's health for as long as it lives.
pub(crate) fn register(source: Weak<dyn HealthSource>) {
    let mut sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    sources.retain(|source| source.strong_count() > 0);
    sources.push(source);
}

/// Reads every source. The process is ready when all of them are; without any there is nothing to show.
pub(crate) fn read() -> Vec<Shown> {
    let sources = living();
    let ready = (!sources.is_empty()).then(|| sources.iter().all(|source| source.is_ready()));
    vec![Shown::new(&catalog::HEALTH_READY, Rc::new(ready), |ready: &Option<bool>, sink: &mut dyn Sink| {
        if let Some(ready) = ready {
            sink.push(&Labels::new(&[], &[]), None, Sample::Gauge((*ready).into()));
        }
    })]
}

/// The sources that are still there. They are read after the lock is gone.
fn living() -> Vec<Arc<dyn HealthSource>> {
    let sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    sources.iter().filter_map(Weak::upgrade).collect()
}
