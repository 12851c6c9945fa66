//! Power fields of NVML by scope: the one call that the safe wrapper does not offer, because it always asks scope 0.
//!
//! Which fields a board has is decided elsewhere. What surprises people: a call that succeeds says nothing of its
//! values, each of which has a return code of its own; and a driver may hand out the same old value again and again, which
//! only the value's own time stamp shows.

use std::ffi::c_int;

use nvml_wrapper::Device as Board;
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::{NvmlError, nvml_sym, nvml_try};
use nvml_wrapper::struct_wrappers::device::FieldValueSample;
use nvml_wrapper_sys::bindings::field_id::{NVML_FI_DEV_POWER_AVERAGE, NVML_FI_DEV_POWER_INSTANT};
use nvml_wrapper_sys::bindings::{
    NVML_POWER_SCOPE_GPU, NVML_POWER_SCOPE_MEMORY, NVML_POWER_SCOPE_MODULE, nvmlFieldValue_t,
    nvmlReturn_enum_NVML_ERROR_UNKNOWN, nvmlValue_t,
};

use crate::clock::Nanoseconds;
use crate::model::{Quantity, Scope};
use crate::units::{Seconds, Watts};

/// Time after which a value whose own stamp does not move is stale: ten of the sensor's updates.
const STALE_AFTER: Seconds = Seconds::new(1.0);

/// Scopes that NVML knows, and what their watts include (nvml.h: GPU; CPU and GPU together on superchips; the GPU's memory).
pub(super) const SCOPES: [(Scope, u32); 3] = [
    (Scope::Board, NVML_POWER_SCOPE_GPU),
    (Scope::Module, NVML_POWER_SCOPE_MODULE),
    (Scope::Memory, NVML_POWER_SCOPE_MEMORY),
];

/// A power field: instant (186) or average (185), of one scope. Neither number was moved when driver 580.82 renumbered
/// the fields from 251 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PowerField {
    /// Instant or averaged power.
    pub(super) quantity: Quantity,
    /// What the watts include.
    pub(super) scope: Scope,
}

impl PowerField {
    fn id(self) -> u32 {
        if self.quantity == Quantity::InstantPower { NVML_FI_DEV_POWER_INSTANT } else { NVML_FI_DEV_POWER_AVERAGE }
    }

    /// NVML's number for the scope; that of the GPU for a scope which NVML does not know.
    fn scope_id(self) -> u32 {
        SCOPES.iter().find(|(scope, _)| *scope == self.scope).map_or(NVML_POWER_SCOPE_GPU, |(_, id)| *id)
    }

    /// Name of its channel.
    pub(super) fn channel_id(self) -> String {
        let quantity = if self.quantity == Quantity::InstantPower { "power.instant" } else { "power.average" };
        match self.scope {
            Scope::Board => quantity.to_owned(),
            scope => format!("{quantity}.{scope}"),
        }
    }
}

/// Power fields that are read in one call.
#[derive(Default)]
pub(super) struct Fields {
    raw: Vec<nvmlFieldValue_t>,
    /// Time stamp of each value, and the poll that first saw it.
    stamps: Vec<Option<(i64, Nanoseconds)>>,
}

impl Fields {
    /// Adds a field and returns its index.
    pub(super) fn add(&mut self, field: PowerField) -> usize {
        self.raw.push(nvmlFieldValue_t {
            fieldId: field.id(),
            scopeId: field.scope_id(),
            timestamp: 0,
            latencyUsec: 0,
            valueType: 0,
            nvmlReturn: nvmlReturn_enum_NVML_ERROR_UNKNOWN,
            value: nvmlValue_t { ullVal: 0 },
        });
        self.stamps.push(None);
        self.raw.len() - 1
    }

    /// Asks the board for all fields.
    pub(super) fn refresh(&mut self, board: &Board<'_>) -> Result<(), NvmlError> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let call = nvml_sym(board.nvml().lib().nvmlDeviceGetFieldValues.as_ref())?;
        for raw in &mut self.raw {
            // A value that the driver leaves as it was must not pass for an answer.
            raw.nvmlReturn = nvmlReturn_enum_NVML_ERROR_UNKNOWN;
        }
        let count = self.raw.len() as c_int;
        // SAFETY: the handle comes from the library that `board` borrows, the symbol from the same library, and the
        // pointer leads to `count` initialised values of the structure that nvml.h declares, which live until the return.
        #[allow(unsafe_code)]
        let code = unsafe { call(board.handle(), count, self.raw.as_mut_ptr()) };
        nvml_try(code)
    }

    /// Watts of a field as of the last refresh; `None` where the driver says 0 W, which no running board draws, or
    /// repeats a stale value.
    pub(super) fn watts(&mut self, index: usize, now: Nanoseconds) -> Result<Option<f64>, NvmlError> {
        let raw = *self.raw.get(index).ok_or(NvmlError::NotSupported)?;
        let sample = FieldValueSample::try_from(raw)?;
        let watts = Watts::from_milliwatts(number(&sample.value?)).get();
        let fresh = self.is_fresh(index, sample.timestamp, now);
        Ok(Some(watts).filter(|watts| *watts > 0.0 && fresh))
    }

    /// False if the stamp of a value has stood still for too long. A stamp of 0 says nothing.
    fn is_fresh(&mut self, index: usize, stamp: i64, now: Nanoseconds) -> bool {
        let Some(seen) = self.stamps.get_mut(index).filter(|_| stamp != 0) else { return true };
        match *seen {
            Some((last, since)) if last == stamp => now.since(since) <= STALE_AFTER,
            _ => {
                *seen = Some((stamp, now));
                true
            }
        }
    }
}

fn number(value: &SampleValue) -> f64 {
    match value {
        SampleValue::F64(value) => *value,
        SampleValue::U32(value) => f64::from(*value),
        SampleValue::U64(value) => *value as f64,
        SampleValue::I64(value) => *value as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Nanoseconds {
        Nanoseconds(0).plus(Seconds::new(seconds))
    }

    #[test]
    fn a_value_whose_stamp_stands_still_goes_stale_and_comes_back_with_a_new_stamp() {
        let mut fields = Fields::default();
        let field = fields.add(PowerField { quantity: Quantity::InstantPower, scope: Scope::Board });
        let fresh: Vec<bool> = [(7, 0.0), (7, 0.9), (7, 1.1), (8, 1.2), (0, 9.0)]
            .iter()
            .map(|(stamp, seconds)| fields.is_fresh(field, *stamp, at(*seconds)))
            .collect();
        assert_eq!(fresh, [true, true, false, true, true]);
    }

    #[test]
    fn fields_and_scopes_have_the_numbers_of_nvml_and_names_that_tell_them_apart() {
        let named = |quantity, scope| {
            let field = PowerField { quantity, scope };
            (field.id(), field.scope_id(), field.channel_id())
        };
        assert_eq!(named(Quantity::InstantPower, Scope::Board), (186, 0, "power.instant".to_owned()));
        assert_eq!(named(Quantity::AveragedPower, Scope::Module), (185, 1, "power.average.module".to_owned()));
        assert_eq!(named(Quantity::InstantPower, Scope::Memory), (186, 2, "power.instant.memory".to_owned()));
    }

    #[test]
    fn a_value_that_was_never_filled_in_is_a_failure_and_not_zero_watts() {
        let mut fields = Fields::default();
        let field = fields.add(PowerField { quantity: Quantity::AveragedPower, scope: Scope::Board });
        assert!(fields.watts(field, at(0.0)).is_err());
        assert!(fields.watts(field + 1, at(0.0)).is_err(), "no such field");
    }
}
