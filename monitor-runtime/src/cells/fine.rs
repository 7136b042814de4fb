//! The cells of one native histogram, made where durations occur.

use std::sync::OnceLock;

use crate::cells::native::Layout;
use crate::cells::reading::FineCounts;
use crate::cells::stripes::{Cells, Stripe};

/// The cells of a [`Layout`], in pages that are made when a duration first falls into them.
///
/// An observation is one addition to one cell, from which both kinds of buckets are told: they can never disagree.
#[derive(Debug)]
pub(crate) struct FineCells {
    layout: &'static Layout,
    pages: Box<[OnceLock<Box<Cells>>]>,
    is_striped: bool,
}

impl FineCells {
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

    /// Appends what the cells hold to `counts`, and adds it to `classic`, the ordinary buckets.
    pub(crate) fn read_into(&self, classic: &mut [u64], counts: &mut FineCounts) {
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
    use crate::cells::native::NativeHistograms;

    #[test]
    fn whatever_threads_add_is_read_once_by_both_kinds_of_buckets() {
        let classic = [1_000_000, 1_000_000_000];
        let layout: &'static Layout = Box::leak(Box::new(Layout::new(NativeHistograms::new(), &classic)));
        let cells = FineCells::new(layout, true);
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
        let (mut buckets, mut counts) = ([0; 3], FineCounts::new());
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
        let cells = FineCells::new(layout, false);
        for nanos in [1_000_000, 1_010_000, 1_020_000] {
            cells.add(Stripe::of_this_thread(), nanos);
        }
        assert_eq!(cells.pages.iter().filter(|page| page.get().is_some()).count(), 1);
        assert!(cells.pages.len() > 50);
    }
}
