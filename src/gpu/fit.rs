//! Whether a program fits a device: checked before anything is allocated, in the same words for real and simulated
//! devices. What surprises people: wgpu caps a binding at 2 GiB on every backend, whatever the card has.

use super::{BufferSpec, ByteRange, GpuError, Program};
use crate::model::Device;

/// Refuses a program that lacks a feature or exceeds a limit of the device.
pub(super) fn check(program: &Program, device: &Device) -> Result<(), GpuError> {
    let case = program.case.label();
    if let Some(feature) = program.requires.iter().find(|feature| !device.features.contains(feature)) {
        return Err(GpuError::MissingFeature { case, feature: *feature, device: device.name.clone() });
    }
    let limits = &device.limits;
    let too_large = |what: String, needed: String, limit: String| {
        Err(GpuError::TooLarge { what: format!("{what} of {case}"), needed, limit, device: device.name.clone() })
    };
    let count = program.buffers.len();
    if count > limits.max_storage_buffers as usize {
        let words = |n: usize| format!("{n} storage buffers");
        return too_large("the shader".to_owned(), words(count), words(limits.max_storage_buffers as usize));
    }
    for BufferSpec { name, bytes, .. } in &program.buffers {
        let limit = limits.max_binding_bytes.min(limits.max_buffer_bytes);
        if *bytes > limit {
            return too_large(format!("buffer {name}"), bytes_in_words(*bytes), bytes_in_words(limit));
        }
        if *bytes == 0 || bytes % 4 != 0 {
            return Err(GpuError::Other {
                device: device.name.clone(),
                during: format!("loading {case}"),
                reason: format!("buffer {name} has {bytes} bytes, which is not a positive multiple of 4"),
            });
        }
    }
    for stage in &program.stages {
        for (axis, groups) in ["x", "y", "z"].into_iter().zip(stage.workgroups) {
            if groups > limits.max_workgroups_per_dimension {
                let words = |n: u32| format!("{n} workgroups");
                let what = format!("the dispatch along {axis}");
                return too_large(what, words(groups), words(limits.max_workgroups_per_dimension));
            }
        }
    }
    Ok(())
}

/// Refuses ranges that are empty, reach beyond their buffer, or do not consist of whole words; the reason is in words.
pub(super) fn check_ranges(program: &Program, ranges: &[ByteRange]) -> Result<(), String> {
    let proper = |range: &&ByteRange| {
        let inside = program.buffers.get(range.buffer).is_some_and(|spec| range.end <= spec.bytes);
        inside && range.start < range.end && range.start.is_multiple_of(4) && range.end.is_multiple_of(4)
    };
    match ranges.iter().find(|range| !proper(range)) {
        Some(range) => Err(format!("{range:?} is not a range of whole words of {}", program.case.label())),
        None => Ok(()),
    }
}

/// Bytes with a binary prefix and the exact number, for example `3.00 GiB (3221225472 bytes)`.
fn bytes_in_words(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let power = (bytes.max(1).ilog2() / 10).min(units.len() as u32);
    match power.checked_sub(1).and_then(|index| units.get(index as usize)) {
        Some(unit) => format!("{:.2} {unit} ({bytes} bytes)", bytes as f64 / 1024f64.powi(power as i32)),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_carry_a_binary_prefix_and_the_exact_number() {
        assert_eq!(bytes_in_words(1023), "1023 bytes");
        assert_eq!(bytes_in_words(3 << 30), "3.00 GiB (3221225472 bytes)");
        assert_eq!(bytes_in_words(u64::MAX), "16384.00 PiB (18446744073709551615 bytes)");
    }
}
