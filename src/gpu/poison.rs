//! Poison: a word written over outputs before they are computed; and the pieces in which large buffers are written and
//! read. What counts it afterwards is in `scan`.
//!
//! What surprises people: poison is copied on the device from one small buffer, so that outputs of gigabytes never cross
//! the bus.

use super::POISON_WORD;

/// Size of the buffer that poison is copied from.
pub(super) const POISON_BYTES: u64 = 4 << 20;

pub(super) fn poison_buffer(gpu: &wgpu::Device) -> wgpu::Buffer {
    let buffer = gpu.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: POISON_BYTES,
        usage: wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: true,
    });
    // If creation failed, the error is with the device's health, which `open` checks next.
    if let Ok(mut view) = buffer.get_mapped_range_mut(..) {
        view.copy_from_slice(&POISON_WORD.to_ne_bytes().repeat(POISON_BYTES as usize / 4));
    }
    buffer.unmap();
    buffer
}

/// Offsets and lengths of consecutive pieces of at most `most` bytes.
pub(super) fn chunks(bytes: u64, most: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..bytes.div_ceil(most)).map(move |index| (index * most, most.min(bytes - index * most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_byte_once() {
        assert_eq!(chunks(10, 4).collect::<Vec<_>>(), vec![(0, 4), (4, 4), (8, 2)]);
        assert_eq!(chunks(8, 4).collect::<Vec<_>>(), vec![(0, 4), (4, 4)]);
        assert_eq!(chunks(0, 4).count(), 0);
    }
}
