//! Native histograms: their settings, the bucket of each duration, and their cells.
//! <https://prometheus.io/docs/specs/native_histograms/>
//!
//! The bounds of native and ordinary buckets are merged, and a cell counts the durations between two neighbouring
//! bounds:
//!
//! ```text
//! native bounds    |       |       |       |       |       |      …
//! ordinary bounds               |                     |
//! cells            |  0    |  1 | 2|   3   |   4   | 5|  6 |      …
//! CellPlace        native = bucket whose upper bound is the next native one
//!                  classic = bucket whose upper bound is the next ordinary one
//!
//! pages            [ page 0 ][  none  ][ page 2 ][  none  ] …     each holds the cells of about a factor of two
//! ```
//!
//! A cell lies in exactly one bucket of each kind, so one addition counts for both and they cannot disagree. A page is
//! allocated when a duration first falls into it.

use crate::cells::stripes::{Cells, Stripe};
use crate::error_chain::debug_as_text;
use std::sync::OnceLock;

/// Settings of native histograms: buckets that grow by a constant factor, up to a maximum number.
///
/// Each series of a duration has them in addition to its ordinary buckets; scrapers get them by protobuf. Memory for a
/// bucket is allocated once a duration near it occurs.
///
/// ```
/// use monitor_runtime::metrics::{self, NativeHistograms};
///
/// metrics::builder().native_histograms(NativeHistograms::new().growth(1.05)).init()?;
/// # Ok::<(), metrics::MetricsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeHistograms {
    growth: f64,
    max_buckets: usize,
}

/// Why settings of native histograms were refused.
#[derive(Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NativeHistogramError {
    /// The growth factor is not between 1.003 and 65536.
    #[error("buckets cannot grow by a factor of {growth}; expected one from 1.003 to 65536, such as 1.1")]
    Growth {
        /// The refused factor.
        growth: f64,
    },
    /// The limit is below 8, too few buckets to cover all durations.
    #[error("a limit of {max_buckets} buckets is too low; expected at least 8 (160 by default)")]
    MaxBuckets {
        /// The refused limit.
        max_buckets: usize,
    },
}

debug_as_text!(NativeHistogramError);

/// The finest and the coarsest schema of the specification.
const FINEST: i32 = 8;
const COARSEST: i32 = -4;

/// Durations up to 2 to this power, in seconds, fall into the zero bucket: just under a microsecond.
const ZERO_EXPONENT: i32 = -20;

impl NativeHistograms {
    /// Creates the default settings: a growth of at most 1.1, and at most 160 buckets for each series.
    pub fn new() -> Self {
        Self { growth: 1.1, max_buckets: 160 }
    }

    /// Sets the maximum ratio between neighbouring bounds (default 1.1, range 1.003 to 65536).
    ///
    /// The largest growth of the format that is not above it is used: 1.0905 for 1.1 (schema 3), 1.0443 for 1.05
    /// (schema 4), 2 for 2 (schema 0). The relative error of a quantile is below the growth minus one.
    pub fn growth(mut self, factor: f64) -> Self {
        self.growth = factor;
        self
    }

    /// Sets the maximum number of buckets that a series shows (default 160, minimum 8).
    ///
    /// A series that needs more merges neighbouring buckets in pairs, repeatedly, until they fit. No duration is lost.
    pub fn max_buckets(mut self, limit: usize) -> Self {
        self.max_buckets = limit;
        self
    }

    pub(crate) fn check(&self) -> Result<(), NativeHistogramError> {
        let Self { growth, max_buckets } = *self;
        if !(1.003..=65_536.0).contains(&growth) {
            return Err(NativeHistogramError::Growth { growth });
        }
        if max_buckets < 8 {
            return Err(NativeHistogramError::MaxBuckets { max_buckets });
        }
        Ok(())
    }

    /// The coarsest schema that grows by at most the set factor.
    fn schema(&self) -> i32 {
        let schemas = COARSEST..=FINEST;
        schemas.into_iter().find(|&schema| growth_of(schema) <= self.growth).unwrap_or(FINEST)
    }
}

impl Default for NativeHistograms {
    fn default() -> Self {
        Self::new()
    }
}

/// The growth factor of a schema.
fn growth_of(schema: i32) -> f64 {
    f64::exp2(f64::exp2(f64::from(-schema)))
}

/// The cells of a family's native histograms. The module documentation shows how bounds become cells.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) settings: NativeHistograms,
    schema: i32,
    /// The upper bound of each cell in nanoseconds, ascending; the last is `u64::MAX`, so every duration has a cell.
    bounds: Box<[u64]>,
    places: Box<[CellPlace]>,
}

/// The buckets that a cell belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CellPlace {
    /// The native bucket's index; `None` for the zero bucket.
    pub(crate) native: Option<i32>,
    /// The index of the ordinary bucket; the number of ordinary bounds means `+Inf`.
    pub(crate) classic: usize,
}

impl Layout {
    /// Lays out the cells for checked settings and the ordinary bounds, in nanoseconds.
    pub(crate) fn new(settings: NativeHistograms, classic: &[u64]) -> Self {
        let schema = settings.schema();
        let native = native_bounds(schema);
        let mut bounds: Vec<u64> =
            native.iter().map(|(bound, _)| *bound).chain(classic.iter().copied()).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let places = bounds.iter().map(|&bound| CellPlace {
            native: native[native.partition_point(|(native, _)| *native < bound)].1,
            classic: classic.partition_point(|&classic| classic < bound),
        });
        Self { settings, schema, places: places.collect(), bounds: bounds.into() }
    }

    /// The number of cells.
    pub(crate) fn cells(&self) -> usize {
        self.bounds.len()
    }

    /// The number of cells in a page, about those within a factor of two.
    pub(crate) fn cells_a_page(&self) -> usize {
        // At least a cache line, which the smallest page occupies anyway.
        8 << (self.schema - 3).max(0)
    }

    /// The cell that counts a duration.
    pub(crate) fn find(&self, nanos: u64) -> usize {
        self.bounds.partition_point(|&bound| bound < nanos)
    }

    pub(crate) fn place(&self, cell: usize) -> CellPlace {
        self.places[cell]
    }

    /// Converts cells, given in ascending order, to native buckets.
    pub(crate) fn buckets(&self, cells: impl Iterator<Item = (usize, u64)>) -> NativeBuckets {
        let mut read = NativeBuckets { schema: self.schema, zero: 0, counts: Vec::new() };
        for (cell, count) in cells {
            match self.place(cell).native {
                Some(index) => read.add(index, count),
                None => read.zero += count,
            }
        }
        while read.counts.len() > self.settings.max_buckets && read.schema > COARSEST {
            read = read.halved();
        }
        read
    }
}

/// The upper bound of each bucket in nanoseconds, and its index; the zero bucket first, `u64::MAX` last.
fn native_bounds(schema: i32) -> Vec<(u64, Option<i32>)> {
    let steps = f64::exp2(f64::from(schema));
    let first = if schema >= 0 { ZERO_EXPONENT << schema } else { ZERO_EXPONENT >> -schema } + 1;
    let mut bounds = vec![(to_nanos_down(zero_threshold()), None)];
    for index in first.. {
        let bound = to_nanos_down(f64::exp2(f64::from(index) / steps));
        bounds.push((bound, Some(index)));
        if bound == u64::MAX {
            break;
        }
    }
    bounds
}

/// The longest duration, in seconds, that falls into the zero bucket.
pub(crate) fn zero_threshold() -> f64 {
    f64::exp2(f64::from(ZERO_EXPONENT))
}

/// Rounds down to whole nanoseconds; too large values become `u64::MAX`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is positive, and the cast saturates as intended"
)]
fn to_nanos_down(seconds: f64) -> u64 {
    (seconds * 1e9).floor() as u64
}

/// The native buckets of one series.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NativeBuckets {
    pub(crate) schema: i32,
    /// The count of the zero bucket.
    pub(crate) zero: u64,
    /// Index and count of each non-empty bucket, ascending.
    pub(crate) counts: Vec<(i32, u64)>,
}

impl NativeBuckets {
    fn add(&mut self, index: i32, count: u64) {
        match self.counts.last_mut() {
            Some((last, counted)) if *last == index => *counted += count,
            _ => self.counts.push((index, count)),
        }
    }

    /// Merges neighbouring buckets in pairs. A merged bucket has the upper bound of the upper one.
    fn halved(self) -> Self {
        let mut halved = Self { schema: self.schema - 1, zero: self.zero, counts: Vec::new() };
        for (index, count) in self.counts {
            halved.add((index + 1) >> 1, count);
        }
        halved
    }

    /// Groups the buckets into runs. The offset of a run is its distance from the end of the one before, for the first
    /// one its index. Short gaps are filled with zeros, which take less room than a new run.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut next = 0;
        for &(index, count) in &self.counts {
            match spans.last_mut() {
                Some(span) if index - next <= SHORT_GAP => {
                    span.counts.extend((next..index).map(|_| 0));
                    span.counts.push(count);
                }
                _ => spans.push(Span { offset: index - next, counts: vec![count] }),
            }
            next = index + 1;
        }
        spans
    }
}

const SHORT_GAP: i32 = 2;

/// A run of neighbouring buckets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: i32,
    pub(crate) counts: Vec<u64>,
}

/// The non-empty cells of a native histogram: number and count, ascending.
pub(crate) type NativeCounts = Vec<(usize, u64)>;

/// The cells of a [`Layout`], in pages that are allocated when a duration first falls into them.
#[derive(Debug)]
pub(crate) struct NativeCells {
    layout: &'static Layout,
    pages: Box<[OnceLock<Box<Cells>>]>,
    is_striped: bool,
}

impl NativeCells {
    pub(crate) fn new(layout: &'static Layout, is_striped: bool) -> Self {
        let pages = layout.cells().div_ceil(layout.cells_a_page());
        Self { layout, pages: (0..pages).map(|_| OnceLock::new()).collect(), is_striped }
    }

    /// Counts one duration.
    pub(crate) fn add(&self, stripe: Stripe, nanos: u64) {
        let (cell, cells) = (self.layout.find(nanos), self.layout.cells_a_page());
        let page = self.pages[cell / cells].get_or_init(|| {
            Box::new(if self.is_striped { Cells::new(cells) } else { Cells::unstriped(cells) })
        });
        page.add(stripe, cell % cells, 1);
    }

    /// Appends the non-empty cells to `counts`, and adds them to the ordinary buckets in `classic`.
    pub(crate) fn read_into(&self, classic: &mut [u64], counts: &mut NativeCounts) {
        let cells = self.layout.cells_a_page();
        let mut words = vec![0; Cells::room_for(cells)];
        for (number, page) in self.pages.iter().enumerate() {
            let Some(page) = page.get() else { continue };
            words.fill(0);
            page.sum_all(&mut words);
            for (cell, &count) in words.iter().enumerate().filter(|(_, count)| **count > 0) {
                let cell = number * cells + cell;
                classic[self.layout.place(cell).classic] += count;
                counts.push((cell, count));
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn layout(growth: f64, classic: &[u64]) -> Layout {
        Layout::new(NativeHistograms::new().growth(growth), classic)
    }

    fn place(layout: &Layout, nanos: u64) -> (Option<i32>, usize) {
        let CellPlace { native, classic } = layout.place(layout.find(nanos));
        (native, classic)
    }

    #[test]
    fn the_schema_is_the_coarsest_that_grows_by_no_more() {
        let schemas = [(1.1, 3), (1.05, 4), (2.0, 0), (1.99, 1), (1.003, 8), (4.0, -1), (65_536.0, -4)];
        for (growth, schema) in schemas {
            assert_eq!(NativeHistograms::new().growth(growth).schema(), schema, "{growth}");
        }
    }

    #[test]
    fn settings_that_make_no_histogram_are_refused() {
        for growth in [1.0, 1.0029, 0.0, -1.1, 65_537.0, f64::NAN, f64::INFINITY] {
            let refused = NativeHistograms::new().growth(growth).check();
            assert!(matches!(refused, Err(NativeHistogramError::Growth { .. })), "{growth}");
        }
        let refused = NativeHistograms::new().max_buckets(7).check();
        assert_eq!(refused, Err(NativeHistogramError::MaxBuckets { max_buckets: 7 }));
        assert_eq!(NativeHistograms::new().max_buckets(8).check(), Ok(()));
    }

    #[test]
    fn a_bucket_excludes_its_lower_and_includes_its_upper_bound() {
        const SECOND: u64 = 1_000_000_000;
        let whole = layout(2.0, &[]);
        for (nanos, index) in
            [(SECOND, 0), (SECOND + 1, 1), (2 * SECOND, 1), (2 * SECOND + 1, 2), (SECOND / 2, -1)]
        {
            assert_eq!(place(&whole, nanos), (Some(index), 0), "{nanos}");
        }
        let eighths = layout(1.1, &[]);
        for (nanos, index) in
            [(SECOND, 0), (SECOND + 1, 1), (1_090_507_732, 1), (1_090_507_733, 2), (2 * SECOND, 8)]
        {
            assert_eq!(place(&eighths, nanos), (Some(index), 0), "{nanos}");
        }
    }

    #[test]
    fn tiny_durations_are_zero_and_the_longest_has_a_bucket() {
        for growth in [1.003, 1.1, 2.0, 256.0, 65_536.0] {
            let layout = layout(growth, &[]);
            assert_eq!(place(&layout, 0), (None, 0));
            assert_eq!(place(&layout, 953), (None, 0));
            let (first, _) = place(&layout, 954);
            let steps = f64::exp2(f64::from(layout.schema));
            let lower = f64::exp2(f64::from(first.unwrap() - 1) / steps);
            assert!(
                lower <= zero_threshold() && zero_threshold() < f64::exp2(f64::from(first.unwrap()) / steps)
            );
            assert!(place(&layout, u64::MAX).0.is_some());
        }
    }

    #[test]
    fn a_cell_is_a_part_of_one_ordinary_bucket() {
        let layout = layout(2.0, &[100, 1_500_000_000]);
        assert_eq!(place(&layout, 100), (None, 0));
        assert_eq!(place(&layout, 101), (None, 1));
        assert_eq!(place(&layout, 1_500_000_000), (Some(1), 1));
        assert_eq!(place(&layout, 1_500_000_001), (Some(1), 2));
    }

    #[test]
    fn too_many_buckets_are_shown_two_as_one_until_they_are_few() {
        let layout = Layout::new(NativeHistograms::new().max_buckets(8), &[]);
        let cells: Vec<_> = (0..layout.cells()).map(|cell| (cell, 1)).collect();
        let read = layout.buckets(cells.iter().copied());
        assert!(read.counts.len() <= 8 && read.schema == -3, "{read:?}");
        let counted: u64 = read.counts.iter().map(|(_, count)| count).sum();
        assert_eq!(counted + read.zero, layout.cells() as u64, "merging lost counts");
        let of_few = layout.buckets([(200, 1), (201, 2)].into_iter());
        assert_eq!(of_few.schema, 3, "buckets within the limit were merged");
    }

    #[test]
    fn neighbours_become_the_bucket_that_ends_where_the_upper_does() {
        let counts = vec![(-3, 1), (-2, 2), (-1, 4), (0, 8), (1, 16), (2, 32)];
        let halved = NativeBuckets { schema: 0, zero: 7, counts }.halved();
        assert_eq!(halved, NativeBuckets { schema: -1, zero: 7, counts: vec![(-1, 3), (0, 12), (1, 48)] });
    }

    #[test]
    fn runs_are_told_by_their_distance_and_short_gaps_are_filled() {
        let counts = vec![(-4, 1), (-3, 2), (0, 3), (10, 4)];
        let spans = NativeBuckets { schema: 3, zero: 0, counts }.spans();
        assert_eq!(
            spans,
            [Span { offset: -4, counts: vec![1, 2, 0, 0, 3] }, Span { offset: 9, counts: vec![4] }]
        );
    }

    #[test]
    fn both_kinds_of_buckets_read_each_addition_once() {
        let classic = [1_000_000, 1_000_000_000];
        let layout: &'static Layout = Box::leak(Box::new(Layout::new(NativeHistograms::new(), &classic)));
        let cells = NativeCells::new(layout, true);
        let durations = [0, 954, 1_000_000, 1_000_001, 5_000_000, 1_000_000_000, 1_000_000_001, u64::MAX];
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        for nanos in durations {
                            cells.add(Stripe::of_this_thread(), nanos);
                        }
                    }
                });
            }
        });
        let (mut buckets, mut counts) = ([0; 3], NativeCounts::new());
        cells.read_into(&mut buckets, &mut counts);
        assert_eq!(buckets, [3, 3, 2].map(|times| times * 16_000));
        let native = layout.buckets(counts.iter().copied());
        assert_eq!(native.zero, 16_000);
        let counted: u64 = native.counts.iter().map(|(_, count)| count).sum();
        assert_eq!(counted, 7 * 16_000);
        assert!(counts.is_sorted());
    }

    #[test]
    fn pages_are_made_where_durations_occur() {
        let layout: &'static Layout = Box::leak(Box::new(Layout::new(NativeHistograms::new(), &[])));
        let cells = NativeCells::new(layout, false);
        for nanos in [1_000_000, 1_010_000, 1_020_000] {
            cells.add(Stripe::of_this_thread(), nanos);
        }
        assert_eq!(cells.pages.iter().filter(|page| page.get().is_some()).count(), 1);
        assert!(cells.pages.len() > 50);
    }
}
