//! The work that concurrent scrapes share.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::exposition::format::Format;
use crate::exposition::single_flight::SingleFlight;

/// Renderings by format. Concurrent scrapes of a format share one rendering, and its compressed form.
#[derive(Debug)]
pub(crate) struct Scrapes {
    plain: [SingleFlight<Bytes>; Format::ALL.len()],
    compressed: [SingleFlight<Bytes>; Format::ALL.len()],
}

impl Scrapes {
    pub(crate) fn new() -> Self {
        Self {
            plain: Format::ALL.map(|_| SingleFlight::new()),
            compressed: Format::ALL.map(|_| SingleFlight::new()),
        }
    }

    /// Returns the result of `render`, called after this call began.
    pub(crate) fn share(&self, format: Format, render: impl FnOnce() -> Vec<u8>) -> Bytes {
        self.plain[format as usize].share(|| render().into())
    }

    /// The same, as a gzip stream.
    pub(crate) fn share_compressed(&self, format: Format, render: impl FnOnce() -> Vec<u8>) -> Bytes {
        self.compressed[format as usize].share(|| {
            let compressed = compress(&render());
            compressed.unwrap_or_else(|error| unreachable!("memory refused to be written to: {error}")).into()
        })
    }
}

/// Compresses at the fastest level: label sets are so repetitive that higher levels gain little.
fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn scrapes_of_one_form_share_a_rendering_and_its_compression() {
        const ASKING: usize = 8;
        let (scrapes, rendered, is_busy) = (Scrapes::new(), AtomicUsize::new(0), AtomicBool::new(false));
        let render = || vec![b'0' + u8::try_from(rendered.fetch_add(1, Ordering::Relaxed)).unwrap()];
        let ask = || scrapes.share_compressed(Format::OpenMetrics, render);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                scrapes.share_compressed(Format::OpenMetrics, || {
                    is_busy.store(true, Ordering::Relaxed);
                    while scrapes.compressed[Format::OpenMetrics as usize].waiting() < ASKING {
                        std::thread::yield_now();
                    }
                    render()
                })
            });
            while !is_busy.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            let others: Vec<_> = (0..ASKING).map(|_| scope.spawn(ask)).collect();
            let first = first.join().unwrap();
            let mut others = others.into_iter().map(|other| other.join().unwrap());
            let second = others.next().unwrap();
            assert_ne!(first, second);
            assert!(others.all(|other| other.as_ptr() == second.as_ptr()), "not the same buffer");
        });
        assert_eq!(rendered.into_inner(), 2);
    }
}
