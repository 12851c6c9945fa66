//! Which candidates are tried, and in which order: defaults first, then one parameter at a time, then what helped, together.
//!
//! The whole product of a variant's parameters is tried only where it is small. What surprises people: whether a
//! candidate can run is asked of the same rendering that a run uses, so every limit and constraint of a manifest prunes
//! here too, and nothing is compiled to find out.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::{self, Variant};
use crate::model::{Case, Choice, Device, Shape};
use crate::workload;

/// Candidates of one case on a hardware device: enough for the moves of seven parameters, few enough for a minute.
const MOST: usize = 48;
/// Candidates of one case on a software adapter, where one may take a second to compile and more to verify.
const MOST_ON_SOFTWARE: usize = 6;
/// Candidates for each variant whose parameters are tried.
const CANDIDATES_PER_BASE: usize = 16;
/// Improvement over its base below which a move is noise.
const HELPFUL: f64 = 0.98;

/// Parameters of a variant by name.
pub type Params = BTreeMap<String, u64>;

/// Whether the variant may change, or only its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freedom {
    /// Any variant of the case's problem and element type.
    AnyVariant,
    /// The case's own variant: the user named it.
    OwnVariant,
}

/// Variants that compete for a case on a device: the case's own first, then the others by preference.
pub fn contestants(case: &Case, freedom: Freedom, device: &Device) -> Vec<&'static Variant> {
    let of_case = |variant: &&'static Variant| variant.problem == case.problem && variant.element == case.element;
    let mut found: Vec<&'static Variant> = kernel::variants().iter().filter(of_case).collect();
    if freedom == Freedom::OwnVariant {
        found.retain(|variant| variant.id == case.variant);
    }
    found.sort_by_key(|variant| {
        (variant.id != case.variant, std::cmp::Reverse(variant.preference_at(&case.shape, device)))
    });
    found
}

/// Why a case cannot run on a device by any variant that competes for it; `None` if one can.
pub fn obstacle(case: &Case, freedom: Freedom, device: &Device) -> Option<String> {
    let refused = workload::problem(&case.problem).and_then(|p| p.check_for(&case.shape, case.element).err());
    if let Some(error) = refused {
        return Some(error.to_string());
    }
    let contestants = contestants(case, freedom, device);
    let attempts = contestants.iter().map(|variant| {
        let own = variant.id == case.variant;
        let params = if own { case.params.clone() } else { variant.default_params(device) };
        variant.render(&case.shape, &params, device).err().map(|error| error.to_string())
    });
    let reasons: Option<Vec<String>> = attempts.collect();
    reasons.map(|reasons| reasons.into_iter().next().unwrap_or_else(|| format!("no kernel computes {}", case.label())))
}

/// The candidates of one case: hands out the next ones as times come in.
#[derive(Debug)]
pub struct Candidates {
    shape: Shape,
    device: Device,
    variants: Vec<&'static Variant>,
    seen: BTreeSet<Choice>,
    most: usize,
    /// Candidates that were thought of and not handed out.
    left: Vec<Choice>,
}

impl Candidates {
    /// Candidates of a case among these variants.
    pub fn new(case: &Case, variants: Vec<&'static Variant>, device: &Device) -> Self {
        let most = if device.is_software() { MOST_ON_SOFTWARE } else { MOST };
        Self {
            shape: case.shape.clone(),
            device: device.clone(),
            variants,
            seen: BTreeSet::new(),
            most,
            left: Vec::new(),
        }
    }

    /// Candidates that were thought of, but for which there was no room or no time.
    pub fn untried(&self) -> usize {
        self.left.iter().filter(|choice| !self.seen.contains(choice)).collect::<BTreeSet<_>>().len()
    }

    /// Takes back a candidate that was handed out and not tried, because time was up.
    pub fn take_back(&mut self, choice: Choice) {
        self.seen.remove(&choice);
        self.left.push(choice);
    }

    /// The defaults: of the case's own variant, then of the others. Where variants are many and candidates few, half of
    /// the room is kept for parameters.
    pub fn defaults(&mut self, own: &Choice) -> Vec<Choice> {
        let others: Vec<Choice> = self
            .variants
            .iter()
            .map(|variant| choice(variant, variant.default_params(&self.device)))
            .filter(|other| other.variant != own.variant)
            .collect();
        let room = (self.most / 2).max(1);
        let mut wanted = vec![own.clone()];
        wanted.extend(others);
        self.hand_out(wanted, room)
    }

    /// Variants whose parameters are tried, at most.
    pub fn bases(&self) -> usize {
        (self.most / CANDIDATES_PER_BASE).max(1)
    }

    /// What lies around each of several bases, in equal shares of the room that is left.
    pub fn around_each(&mut self, bases: &[Choice]) -> Vec<Choice> {
        let mut out = Vec::new();
        for (index, base) in bases.iter().enumerate() {
            let left = self.most.saturating_sub(self.seen.len());
            out.extend(self.around(base, left / (bases.len() - index)));
        }
        out
    }

    /// All parameters of a variant, if its whole product fits the room; else moves of one parameter from `base`, the
    /// nearest values first.
    fn around(&mut self, base: &Choice, room: usize) -> Vec<Choice> {
        let Some(variant) = self.variant(&base.variant) else { return Vec::new() };
        let wanted = match product(variant, room) {
            Some(all) => all.into_iter().map(|params| choice(variant, params)).collect(),
            None => moves(variant, &base.params).into_iter().map(|params| choice(variant, params)).collect(),
        };
        self.hand_out(wanted, self.seen.len() + room)
    }

    /// Combinations of the moves from `base` that helped: all together, then in pairs, the best first.
    /// `cost` gives what a candidate costs, if it was timed.
    pub fn combined(&mut self, base: &Choice, cost: impl Fn(&Choice) -> Option<f64>) -> Vec<Choice> {
        let (Some(variant), Some(before)) = (self.variant(&base.variant), cost(base)) else { return Vec::new() };
        let mut helpful: Vec<(f64, String, u64)> = Vec::new();
        for params in moves(variant, &base.params) {
            let moved = params.iter().find(|(name, value)| base.params.get(*name) != Some(*value));
            let Some((name, value)) = moved.map(|(name, value)| (name.clone(), *value)) else { continue };
            let Some(after) = cost(&choice(variant, params)).filter(|after| *after < before * HELPFUL) else {
                continue;
            };
            match helpful.iter_mut().find(|(_, known, _)| *known == name) {
                Some(known) if after < known.0 => *known = (after, name, value),
                Some(_) => {}
                None => helpful.push((after, name, value)),
            }
        }
        helpful.sort_by(|a, b| a.0.total_cmp(&b.0));
        let with = |chosen: &[&(f64, String, u64)]| {
            let mut params = base.params.clone();
            params.extend(chosen.iter().map(|(_, name, value)| (name.clone(), *value)));
            choice(variant, params)
        };
        let mut wanted = Vec::new();
        if helpful.len() > 1 {
            wanted.push(with(&helpful.iter().collect::<Vec<_>>()));
        }
        for (index, first) in helpful.iter().enumerate() {
            wanted.extend(helpful[index + 1..].iter().map(|second| with(&[first, second])));
        }
        self.hand_out(wanted, self.most)
    }

    fn variant(&self, id: &str) -> Option<&'static Variant> {
        self.variants.iter().copied().find(|variant| variant.id == id)
    }

    /// Those that are new and can be rendered, as far as `room` in all reaches.
    fn hand_out(&mut self, wanted: Vec<Choice>, room: usize) -> Vec<Choice> {
        let mut out = Vec::new();
        for choice in wanted {
            // The case's own choice is tried even where it cannot run, so that the reason is on record.
            let first = self.seen.is_empty();
            if self.seen.contains(&choice) || !(first || self.renders(&choice)) {
                continue;
            }
            if self.seen.len() < room {
                self.seen.insert(choice.clone());
                out.push(choice);
            } else {
                self.left.push(choice);
            }
        }
        out
    }

    fn renders(&self, choice: &Choice) -> bool {
        let variant = self.variant(&choice.variant);
        variant.is_some_and(|variant| variant.render(&self.shape, &choice.params, &self.device).is_ok())
    }
}

/// A variant with parameters.
pub fn choice(variant: &Variant, params: Params) -> Choice {
    Choice { variant: variant.id.clone(), params, shader_sha256: variant.sha256.clone() }
}

/// Every combination of a variant's candidates; `None` if they are more than `most`.
fn product(variant: &Variant, most: usize) -> Option<Vec<Params>> {
    let count = variant.params.values().try_fold(1_usize, |count, parameter| {
        count.checked_mul(parameter.candidates.len()).filter(|count| *count <= most)
    });
    count?;
    let mut all = vec![Params::new()];
    for (name, parameter) in &variant.params {
        all = all
            .iter()
            .flat_map(|params| {
                parameter.candidates.iter().map(|value| {
                    let mut params = params.clone();
                    params.insert(name.clone(), *value);
                    params
                })
            })
            .collect();
    }
    Some(all)
}

/// Every move of one parameter to another candidate: the next value up of each parameter, then the next one down, then
/// those further away.
fn moves(variant: &Variant, base: &Params) -> Vec<Params> {
    let mut ranked: Vec<(usize, bool, Params)> = Vec::new();
    for (name, parameter) in &variant.params {
        let Some(now) = base.get(name) else { continue };
        let mut values: Vec<u64> = parameter.candidates.clone();
        values.sort_unstable();
        values.dedup();
        let above = values.iter().filter(|value| *value > now).enumerate().map(|(rank, value)| (rank, false, *value));
        let below = values.iter().rev().filter(|value| *value < now).enumerate().map(|(rank, v)| (rank, true, *v));
        for (rank, down, value) in above.chain(below) {
            let mut params = base.clone();
            params.insert(name.clone(), value);
            ranked.push((rank, down, params));
        }
    }
    // Stable: within one distance and direction the parameters stay in order of name.
    ranked.sort_by_key(|(rank, down, _)| (*rank, *down));
    ranked.into_iter().map(|(_, _, params)| params).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{case, device};
    use super::*;
    use crate::model::DeviceKind;

    fn gemm() -> (Case, Choice) {
        let case = case("gemm/shared-f32", &[("m", 512), ("n", 512), ("k", 512)]);
        let own = Choice::of(&case);
        (case, own)
    }

    fn candidates(case: &Case, freedom: Freedom, kind: DeviceKind) -> Candidates {
        let device = device(kind);
        Candidates::new(case, contestants(case, freedom, &device), &device)
    }

    #[test]
    fn the_cases_own_default_comes_first_and_then_that_of_every_other_variant() {
        let (case, own) = gemm();
        let mut free = candidates(&case, Freedom::AnyVariant, DeviceKind::Discrete);
        let defaults = free.defaults(&own);
        assert_eq!(defaults[0], own);
        assert!(defaults.len() >= 3 && defaults.iter().all(|choice| choice.variant.starts_with("gemm/")));
        assert_eq!(candidates(&case, Freedom::OwnVariant, DeviceKind::Discrete).defaults(&own), [own]);
    }

    #[test]
    fn moves_change_one_parameter_and_begin_with_the_nearest_values() {
        let (case, own) = gemm();
        let mut fixed = candidates(&case, Freedom::OwnVariant, DeviceKind::Discrete);
        fixed.defaults(&own);
        let around = fixed.around_each(std::slice::from_ref(&own));
        assert!(around.len() > 8 && around.len() < MOST, "{}", around.len());
        for choice in &around {
            let changed = choice.params.iter().filter(|(name, value)| own.params[*name] != **value).count();
            assert_eq!(changed, 1, "{choice}");
        }
        // BK is 16 of 8, 16, 32: one step up, one down; nothing renders twice.
        assert_eq!(around.iter().filter(|choice| choice.params["BK"] != 16).count(), 2);
        assert_eq!(fixed.around_each(std::slice::from_ref(&own)), []);
    }

    #[test]
    fn what_the_device_cannot_hold_is_never_a_candidate() {
        let (case, own) = gemm();
        let mut small = device(DeviceKind::Discrete);
        small.limits.max_workgroup_memory_bytes = 20_000;
        let mut pruned = Candidates::new(&case, contestants(&case, Freedom::OwnVariant, &small), &small);
        pruned.defaults(&own);
        // Two buffers of 16 x (33 + 32) vec4 are 33 280 bytes.
        assert!(pruned.around_each(std::slice::from_ref(&own)).iter().all(|choice| choice.params["BUFFERS"] == 1));
    }

    #[test]
    fn a_software_adapter_gets_few_candidates_and_the_rest_is_counted() {
        let (case, own) = gemm();
        let mut few = candidates(&case, Freedom::AnyVariant, DeviceKind::Software);
        let defaults = few.defaults(&own);
        assert!(defaults.len() <= MOST_ON_SOFTWARE / 2);
        let around = few.around_each(std::slice::from_ref(&own));
        assert_eq!(defaults.len() + around.len(), MOST_ON_SOFTWARE);
        assert!(few.untried() > 5, "{}", few.untried());
    }

    #[test]
    fn moves_that_helped_are_combined_and_those_that_did_not_are_not() {
        let (case, own) = gemm();
        let mut fixed = candidates(&case, Freedom::OwnVariant, DeviceKind::Discrete);
        fixed.defaults(&own);
        // BK 8 and SWIZZLE 4 help, BK 32 and SWIZZLE 16 do not.
        let cost = |choice: &Choice| {
            let bk = if choice.params["BK"] == 8 { 0.8 } else { 1.0 };
            let swizzle = if choice.params["SWIZZLE"] == 4 { 0.9 } else { 1.0 };
            Some(bk * swizzle)
        };
        let combined = fixed.combined(&own, cost);
        assert_eq!(combined.len(), 1);
        assert_eq!((combined[0].params["BK"], combined[0].params["SWIZZLE"]), (8, 4));
    }

    #[test]
    fn a_small_product_is_tried_whole() {
        let case = case("memory-copy/direct-f32", &[("n", 1 << 20)]);
        let own = Choice::of(&case);
        let mut all = candidates(&case, Freedom::OwnVariant, DeviceKind::Discrete);
        all.defaults(&own);
        // PER and WG have four and five candidates.
        assert_eq!(all.around_each(std::slice::from_ref(&own)).len(), 4 * 5 - 1);
        assert_eq!(all.untried(), 0);
    }
}
