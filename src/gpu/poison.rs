//! Poison: a word written over outputs before they are computed, and counted afterwards; and the pieces in which large
//! buffers are written and read.
//!
//! What surprises people: poison is copied on the device from one small buffer, so that outputs of gigabytes never cross
//! the bus.

use super::{POISON_WORD, PoisonScan};

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

pub(super) fn scan_words(scan: &mut PoisonScan, offset: u64, bytes: &[u8]) {
    let (words, _) = bytes.as_chunks::<4>();
    let poison = POISON_WORD.to_ne_bytes();
    let count = words.iter().filter(|word| **word == poison).count() as u64;
    if count > 0 && scan.first.is_none() {
        scan.first = words.iter().position(|word| *word == poison).map(|index| offset + 4 * index as u64);
    }
    scan.words += words.len() as u64;
    scan.poisoned += count;
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

    #[test]
    fn a_scan_counts_poisoned_words_and_remembers_the_first() {
        let mut scan = PoisonScan { words: 0, poisoned: 0, first: None };
        scan_words(&mut scan, 0, &[0; 8]);
        let mut bytes = vec![0; 12];
        bytes[4..8].copy_from_slice(&POISON_WORD.to_ne_bytes());
        scan_words(&mut scan, 8, &bytes);
        scan_words(&mut scan, 20, &POISON_WORD.to_ne_bytes());
        assert_eq!(scan, PoisonScan { words: 6, poisoned: 2, first: Some(12) });
    }
}
