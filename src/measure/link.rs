//! Launch costs and transfers of a device: a few repetitions of each size, and every byte compared.
//!
//! What surprises people: this is not part of any case's window, so it has no watts.

use crate::gpu::{Accelerator, GpuError};
use crate::model::{LaunchTimes, LinkMeasurement, TransferPath, TransferTimes};
use crate::stats::SplitMix64;
use crate::units::Seconds;

/// Dispatches of one submission: one, and so many that the cost of each shows.
const LAUNCHES: [u32; 2] = [1, 1001];
/// Sizes of transfers: from a page to what takes a fast link a millisecond.
const SIZES: [u64; 5] = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20];
/// Repetitions of each launch.
const LAUNCH_REPEATS: usize = 31;
/// Repetitions of each transfer.
const TRANSFER_REPEATS: usize = 5;

/// Measures what lies between host and device. A failure ends it and stands in the result, with what there was.
pub(super) fn measure(accelerator: &mut dyn Accelerator, interrupted: &dyn Fn() -> bool) -> LinkMeasurement {
    accelerator.unload();
    let mut found = LinkMeasurement {
        device: accelerator.device().ordinal,
        launches: Vec::new(),
        transfers: Vec::new(),
        failure: None,
    };
    if let Err(error) = fill(&mut found, accelerator, interrupted) {
        found.failure = Some(error.to_string());
    }
    accelerator.unload();
    found
}

fn fill(
    found: &mut LinkMeasurement,
    accelerator: &mut dyn Accelerator,
    interrupted: &dyn Fn() -> bool,
) -> Result<(), GpuError> {
    for dispatches in LAUNCHES {
        // The first one pays for what is made lazily.
        accelerator.launch(dispatches)?;
        let times: Result<Vec<Seconds>, GpuError> =
            (0..LAUNCH_REPEATS).map(|_| accelerator.launch(dispatches)).collect();
        found.launches.push(LaunchTimes { dispatches, times_s: times? });
    }
    let most = accelerator.device().limits.max_buffer_bytes;
    for bytes in SIZES.into_iter().filter(|bytes| *bytes <= most) {
        if interrupted() {
            found.failure = Some("the run was interrupted".to_owned());
            return Ok(());
        }
        found.transfers.extend(there_and_back(accelerator, bytes)?);
    }
    Ok(())
}

/// Moves bytes there in both ways, each followed by the way back, and compares them.
fn there_and_back(accelerator: &mut dyn Accelerator, bytes: u64) -> Result<[TransferTimes; 3], GpuError> {
    let empty = |path| TransferTimes { path, bytes, times_s: Vec::new(), intact: true };
    let [mut written, mut mapped, mut back] = TransferPath::ALL.map(empty);
    let mut sent = vec![0_u8; bytes as usize];
    let mut arrived = vec![0_u8; bytes as usize];
    // The first round pays for pages that nobody has touched yet and does not count.
    for round in 0..=TRANSFER_REPEATS {
        for upload in [&mut written, &mut mapped] {
            scramble(&mut sent, bytes ^ (round as u64) << 1 ^ u64::from(upload.path == TransferPath::MappedUpload));
            let there = accelerator.transfer(upload.path, &mut sent)?;
            let time = accelerator.transfer(TransferPath::Download, &mut arrived)?;
            let intact = sent == arrived;
            upload.intact &= intact;
            back.intact &= intact;
            if round > 0 {
                upload.times_s.push(there);
                back.times_s.push(time);
            }
        }
    }
    Ok([written, mapped, back])
}

/// Bytes of a page, each of which carries its own number.
const PAGE: usize = 4 << 10;

/// Fills bytes with a random page, over and over, each with its own number: so that none can stand for another, and that
/// filling takes less time than moving.
fn scramble(bytes: &mut [u8], seed: u64) {
    let mut random = SplitMix64::new(seed);
    let mut page = [0_u8; PAGE];
    page.as_chunks_mut::<8>().0.iter_mut().for_each(|word| *word = random.next_u64().to_le_bytes());
    for (number, part) in bytes.chunks_mut(PAGE).enumerate() {
        page[..8].copy_from_slice(&(seed ^ number as u64).to_le_bytes());
        part.copy_from_slice(&page[..part.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_and_no_round_is_like_another() {
        let filled = |seed| {
            let mut bytes = vec![0; 3 * PAGE + 100];
            scramble(&mut bytes, seed);
            bytes
        };
        let (one, other) = (filled(1), filled(2));
        assert!(one[..PAGE] != one[PAGE..2 * PAGE] && one[..100] != one[3 * PAGE..]);
        assert!(one[8..PAGE] != other[8..PAGE]);
        assert_eq!(one, filled(1));
    }
}
