//! A bounded set of series, found by label values.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::cells::buckets::Buckets;
use crate::cells::index::{Index, Series};
use crate::cells::labels::{Labels, MAX_VALUE_BYTES, OVERFLOW};
use crate::cells::native::NativeHistograms;
use crate::cells::objective::Objective;
use crate::families::catalog::Metric;
use crate::families::process;

/// The default maximum of label sets of a family.
pub(crate) const DEFAULT_LIMIT: usize = 2_000;

/// The maximum of label sets of each family of the process.
static LIMIT: AtomicUsize = AtomicUsize::new(DEFAULT_LIMIT);

/// Sets the maximum of label sets of each family. Existing series stay.
pub(crate) fn set_limit(limit: usize) {
    LIMIT.store(limit, Ordering::Relaxed);
}

/// All series of one metric, or of several metrics with the same labels.
///
/// A series lives as long as the process, so a call site can keep a plain reference to it. The limit bounds their
/// number.
pub(crate) struct Family<S: 'static> {
    /// Names the family in the overflow counter.
    metric: &'static Metric,
    /// The names of the labels of a series.
    names: &'static [&'static str],
    index: Index<S>,
    table: RwLock<Table<S>>,
    overflow: OnceLock<&'static S>,
    warned: AtomicBool,
}

struct Table<S: 'static> {
    sorted: Vec<&'static S>,
    is_sorted: bool,
    buckets: Option<&'static Buckets>,
    /// The buckets for each objective.
    with_objective: Vec<&'static Buckets>,
    default_buckets: &'static [f64],
}

/// The result of a look-up.
pub(crate) enum Found<S: 'static> {
    /// The series of exactly these values.
    Own(&'static S),
    /// The overflow series, since the family is full or a value is too long.
    Overflow(&'static S),
}

impl<S> Table<S> {
    /// Whether a series with these values may be added. The overflow's own value is reserved.
    fn has_room_for(&self, values: &[&str]) -> bool {
        self.sorted.len() < LIMIT.load(Ordering::Relaxed)
            && values.iter().all(|value| value.len() <= MAX_VALUE_BYTES && *value != OVERFLOW)
    }

    /// The settings of native histograms, if they are kept.
    fn native(&self) -> Option<NativeHistograms> {
        Some(self.buckets?.layout()?.settings)
    }

    fn buckets(&mut self) -> &'static Buckets {
        self.buckets.get_or_insert_with(|| Box::leak(Box::new(Buckets::new(self.default_buckets))))
    }

    /// The buckets for an objective, made once for each.
    fn buckets_for(&mut self, objective: Option<&'static Objective>) -> &'static Buckets {
        let buckets = self.buckets();
        let Some(wanted) = objective else { return buckets };
        if let Some(made) = self.with_objective.iter().find(|made| made.objective() == objective) {
            return made;
        }
        let made: &'static Buckets = Box::leak(Box::new(buckets.with_objective(wanted)));
        self.with_objective.push(made);
        made
    }
}

impl<S: Series> Family<S> {
    pub(crate) const fn new(
        metric: &'static Metric,
        names: &'static [&'static str],
        default_buckets: &'static [f64],
    ) -> Self {
        let table = Table {
            sorted: Vec::new(),
            is_sorted: true,
            buckets: None,
            with_objective: Vec::new(),
            default_buckets,
        };
        Self {
            metric,
            names,
            index: Index::new(),
            table: RwLock::new(table),
            overflow: OnceLock::new(),
            warned: AtomicBool::new(false),
        }
    }

    /// Finds the series of `values`, or adds it if there is room. An overflow must be looked up again for every use, so
    /// that each use is counted.
    #[inline]
    pub(crate) fn find(&self, values: &[&str]) -> Found<S> {
        self.find_with_objective(values, None)
    }

    /// Like [`find`](Self::find); a series that is added gets the objective.
    #[inline]
    pub(crate) fn find_with_objective(
        &self,
        values: &[&str],
        objective: Option<&'static Objective>,
    ) -> Found<S> {
        let hash = self.index.hash(values);
        match self.index.find(hash, values) {
            Some(series) => Found::Own(series),
            None => self.find_or_insert(hash, values, objective),
        }
    }

    /// Adds the series of `values` before its first use, if half of the room is left: a series that is used goes before.
    pub(crate) fn prepare(&self, values: &[&str]) {
        let hash = self.index.hash(values);
        let has_room = |table: &Table<S>| {
            table.has_room_for(values) && table.sorted.len() < LIMIT.load(Ordering::Relaxed) / 2
        };
        if self.index.find(hash, values).is_none() && has_room(&self.read()) {
            self.insert(hash, values, None);
        }
    }

    #[cold]
    fn find_or_insert(&self, hash: u64, values: &[&str], objective: Option<&'static Objective>) -> Found<S> {
        let overflow = self.overflow.get().filter(|_| !self.read().has_room_for(values));
        // Another thread may have added the series in between, and taken the last room with it.
        match (overflow, self.index.find(hash, values)) {
            (_, Some(series)) => Found::Own(series),
            (Some(overflow), None) => self.overflowed(overflow),
            (None, None) => self.insert(hash, values, objective),
        }
    }

    fn insert(&self, hash: u64, values: &[&str], objective: Option<&'static Objective>) -> Found<S> {
        let mut table = self.write();
        // Another thread may have added it while this one waited for the lock.
        if let Some(series) = self.index.find(hash, values) {
            return Found::Own(series);
        }
        if !table.has_room_for(values) {
            let overflow = self.overflow.get_or_init(|| {
                let values = vec![OVERFLOW; self.names.len()];
                Box::leak(Box::new(S::new(Labels::new(self.names, &values), table.buckets())))
            });
            drop(table);
            return self.overflowed(overflow);
        }
        let labels = Labels::new(self.names, values);
        let made: &'static S = Box::leak(Box::new(S::new(labels, table.buckets_for(objective))));
        if table.sorted.is_empty() {
            // The series exists at 0 from the first series on, so that `rate()` sees the first overflow.
            process::metrics().series_overflow.with_label_values(&[self.metric.name]);
        }
        table.is_sorted = false;
        table.sorted.push(made);
        self.index.insert(hash, made, table.sorted.len());
        Found::Own(made)
    }

    /// Counts a use of the overflow series, and warns of the first one. It holds no lock, since a subscriber may call
    /// back.
    #[cold]
    fn overflowed(&self, overflow: &'static S) -> Found<S> {
        process::metrics().series_overflow.with_label_values(&[self.metric.name]).inc();
        if !self.warned.swap(true, Ordering::Relaxed) {
            let limit = LIMIT.load(Ordering::Relaxed);
            tracing::warn!(
                target: "monitor_runtime::metrics",
                metric = self.metric.name,
                limit,
                "no room for another label set, or a value over {MAX_VALUE_BYTES} bytes; recording under {OVERFLOW}"
            );
        }
        Found::Overflow(overflow)
    }

    /// All series sorted by label values, including the overflow series.
    pub(crate) fn sorted(&self) -> Vec<&'static S> {
        let mut all = self.sorted_own();
        if let Some(&overflow) = self.overflow.get() {
            let at = all.partition_point(|series| series.labels().values().lt(overflow.labels().values()));
            all.insert(at, overflow);
        }
        all
    }

    fn sorted_own(&self) -> Vec<&'static S> {
        let table = self.read();
        if table.is_sorted {
            return table.sorted.clone();
        }
        drop(table);
        let mut table = self.write();
        table.sorted.sort_by(|a, b| a.labels().values().cmp(b.labels().values()));
        table.is_sorted = true;
        table.sorted.clone()
    }

    /// Holds the family still: no series is made while the guard lives.
    pub(crate) fn hold(&self) -> Held<'_, S> {
        Held { table: self.write(), has_overflow: self.overflow.get().is_some() }
    }

    // A poisoned table is consistent: nothing between two writes to it can panic.
    fn read(&self) -> RwLockReadGuard<'_, Table<S>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table<S>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A family that makes no series meanwhile, so that its settings can be checked and then changed.
pub(crate) struct Held<'f, S: 'static> {
    table: RwLockWriteGuard<'f, Table<S>>,
    has_overflow: bool,
}

impl<S: Series> Held<'_, S> {
    /// Whether a series was made with the present settings.
    pub(crate) fn has_series(&self) -> bool {
        self.has_overflow || !self.table.sorted.is_empty()
    }

    /// The bounds that series are made with, in seconds.
    pub(crate) fn bounds(&self) -> &[f64] {
        self.table.buckets.map_or(self.table.default_buckets, Buckets::seconds)
    }

    /// The native histograms that series are made with.
    pub(crate) fn native(&self) -> Option<NativeHistograms> {
        self.table.native()
    }

    /// Has series made with bounds that are in order; a family that [has series](Self::has_series) is given its own again.
    pub(crate) fn set(mut self, seconds: &[f64], native: Option<NativeHistograms>) {
        if self.bounds() != seconds || self.native() != native {
            let buckets = Buckets::new(seconds).with_native(native);
            self.table.buckets = Some(Box::leak(Box::new(buckets)));
        }
    }
}
