//! The look at all words of an output for the poison that a kernel should have overwritten.
//!
//! What surprises people: a word counts only where all of its 32 bits are the poison, so that one half of a word which was
//! never written is found by the checks of values, not here.

use super::{POISON_WORD, PoisonScan};

impl PoisonScan {
    /// Nothing looked at yet.
    pub const EMPTY: Self = Self { words: 0, poisoned: 0, first: None };

    /// Looks at bytes from `offset` of a buffer on.
    pub fn add(&mut self, offset: u64, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<4>();
        let poison = POISON_WORD.to_ne_bytes();
        let count = words.iter().filter(|word| **word == poison).count() as u64;
        if count > 0 && self.first.is_none() {
            self.first = words.iter().position(|word| *word == poison).map(|index| offset + 4 * index as u64);
        }
        self.words += words.len() as u64;
        self.poisoned += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_counts_poisoned_words_and_remembers_the_first() {
        let mut scan = PoisonScan::EMPTY;
        scan.add(0, &[0; 8]);
        let mut bytes = vec![0; 12];
        bytes[4..8].copy_from_slice(&POISON_WORD.to_ne_bytes());
        scan.add(8, &bytes);
        scan.add(20, &POISON_WORD.to_ne_bytes());
        assert_eq!(scan, PoisonScan { words: 6, poisoned: 2, first: Some(12) });
    }
}
