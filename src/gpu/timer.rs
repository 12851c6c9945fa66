//! Device time of compute passes, from timestamps.
//!
//! Each pass in flight has a slot of two queries. What surprises people: queries are resolved in a submission of their
//! own, because on Vulkan a resolve that shares a submission with its pass may read zeros (gfx-rs/wgpu#6406).

use std::collections::VecDeque;

/// Slots, so passes in flight that can be timed; a pass beyond them is simply not timed.
const SLOTS: u32 = 32;
/// Bytes of one slot's two 64-bit ticks.
const TICKS_BYTES: u64 = 16;

/// The timestamp queries of a device.
#[derive(Debug)]
pub(super) struct PassTimer {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readback: Vec<wgpu::Buffer>,
    free: VecDeque<u32>,
    period_ns: f64,
    /// End of the latest pass that was read, in ticks.
    last_end: std::cell::Cell<u64>,
}

impl PassTimer {
    pub(super) fn new(gpu: &wgpu::Device, period_ns: f64) -> Self {
        let queries = gpu.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: SLOTS * 2,
        });
        let resolved = gpu.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::from(SLOTS) * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        // One buffer per slot: a buffer that the device still writes cannot be mapped.
        let readback = (0..SLOTS).map(|_| readback_buffer(gpu, TICKS_BYTES)).collect();
        Self { queries, resolved, readback, free: (0..SLOTS).collect(), period_ns, last_end: std::cell::Cell::new(0) }
    }

    pub(super) fn take_slot(&mut self) -> Option<u32> {
        self.free.pop_front()
    }

    pub(super) fn return_slot(&mut self, slot: u32) {
        self.free.push_back(slot);
    }

    /// Makes a pass write its start and end into a slot.
    pub(super) fn writes(&self, slot: u32) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(slot * 2),
            end_of_pass_write_index: Some(slot * 2 + 1),
        }
    }

    /// Records the commands that bring a slot's ticks to its readback buffer.
    pub(super) fn resolve(&self, slot: u32, encoder: &mut wgpu::CommandEncoder) {
        let offset = u64::from(slot) * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT;
        encoder.resolve_query_set(&self.queries, slot * 2..slot * 2 + 2, &self.resolved, offset);
        if let Some(target) = self.readback(slot) {
            encoder.copy_buffer_to_buffer(&self.resolved, offset, target, 0, TICKS_BYTES);
        }
    }

    pub(super) fn readback(&self, slot: u32) -> Option<&wgpu::Buffer> {
        self.readback.get(slot as usize)
    }

    /// Times of the pass whose ticks a readback buffer holds, if they are plausible.
    ///
    /// The duration is less what the pass before it had already counted: a driver may stamp the start of a pass while the
    /// one before it still runs, and passes are read in order, so that their sum is the time in which any of them ran.
    pub(super) fn times(&self, bytes: &[u8]) -> Option<PassTimes> {
        let (ticks, _) = bytes.as_chunks::<8>();
        let [start, end] = ticks else { return None };
        let (start, end) = (u64::from_ne_bytes(*start), u64::from_ne_bytes(*end));
        if start == 0 || end < start {
            return None;
        }
        let last = self.last_end.replace(end);
        let overlap_free = if last < end { start.max(last) } else { start };
        let nanoseconds = |ticks: u64| (ticks as f64 * self.period_ns).round() as u64;
        Some(PassTimes { busy_ns: elapsed_ticks(overlap_free, end).map(nanoseconds), end_ns: nanoseconds(end) })
    }
}

/// Times of a pass on the device's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PassTimes {
    /// Duration; `None` if it is not plausible.
    pub(super) busy_ns: Option<u64>,
    /// End, since an origin of the device's own.
    pub(super) end_ns: u64,
}

/// Ticks from start to end; `None` if either was not written, or if the end precedes the start.
///
/// A counter of the 36 bits that Vulkan guarantees wraps after a minute or more, so at most one pass in hundreds straddles
/// a wrap. Its width is not told, so that pass goes without a device time rather than with a guess.
fn elapsed_ticks(start: u64, end: u64) -> Option<u64> {
    (start != 0 && end != 0).then(|| end.checked_sub(start)).flatten().filter(|ticks| *ticks > 0)
}

/// A buffer that the device writes and the host reads.
pub(super) fn readback_buffer(gpu: &wgpu::Device, bytes: u64) -> wgpu::Buffer {
    gpu.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implausible_ticks_give_no_time() {
        assert_eq!(elapsed_ticks(100, 350), Some(250));
        for (start, end) in [(0, 0), (0, 5), (5, 0), (350, 100), (7, 7)] {
            assert_eq!(elapsed_ticks(start, end), None, "{start} to {end}");
        }
        assert_eq!(elapsed_ticks(u64::MAX - 1, u64::MAX), Some(1));
    }
}
