//! From a selection of kernels, shapes and devices to the list of cases, and how long it will take.

use crate::kernel::{self, Variant};
use crate::model::{Case, DataPattern, Device, ElementType, Settings, Shape, ShapeError};
use crate::units::Seconds;
use crate::workload::{self, DeviceClass, Problem};

use super::{presets, suite};

/// Time per case beyond preheat and windows: writing inputs, verifying, calibrating. Measured on a software adapter with
/// the default suite; a GPU needs less.
const OVERHEAD_PER_CASE: Seconds = Seconds::new(0.8);

/// A selection that cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// `--kernel` matched nothing.
    #[error(transparent)]
    Kernel(#[from] kernel::KernelError),
    /// `--shape` cannot be used.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// `--shape` names an axis that no selected problem has.
    #[error("--shape names axis `{axis}`, which none of the selected problems has (their axes: {known})")]
    UnknownAxis {
        /// The axis.
        axis: String,
        /// Axes of the selected problems.
        known: String,
    },
    /// An axis is given values twice; the second would silently win.
    #[error("--shape gives axis `{axis}` twice: list its values together, for example {axis}=1024,2048")]
    RepeatedAxis {
        /// The axis.
        axis: String,
    },
    /// Nothing is left to run.
    #[error("the selection holds no case: no device is selected")]
    Empty,
}

/// One group of linked axes with the values they take together: `m=n=k=1024,2048`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sweep {
    axes: Vec<String>,
    values: Vec<u64>,
}

/// Reads `--shape` texts into every combination of their sweeps.
///
/// `m=n=k=1024,2048` is two shapes; `m=1024,2048 n=512` or `m=1024,2048,n=512` is two as well; several texts multiply.
pub fn shapes(texts: &[String]) -> Result<Vec<Shape>, PlanError> {
    let mut sweeps: Vec<Sweep> = Vec::new();
    for text in texts {
        let syntax = || ShapeError::Syntax(text.clone());
        let first = sweeps.len();
        for item in text.split([',', ' ']).filter(|item| !item.is_empty()) {
            let mut parts: Vec<&str> = item.split('=').collect();
            let value = parts.pop().and_then(|v| v.parse::<u64>().ok()).ok_or_else(syntax)?;
            let proper = |axis: &&str| {
                axis.starts_with(|c: char| c.is_ascii_lowercase())
                    && axis.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            if !parts.iter().all(proper) {
                return Err(syntax().into());
            }
            let known = |axis: &&str| sweeps.iter().any(|sweep| sweep.axes.iter().any(|own| own == axis));
            if let Some(axis) = parts.iter().find(|axis| known(axis)) {
                return Err(PlanError::RepeatedAxis { axis: (*axis).to_owned() });
            }
            if parts.is_empty() {
                let open = sweeps.get_mut(first..).and_then(<[Sweep]>::last_mut).ok_or_else(syntax)?;
                open.values.push(value);
            } else {
                sweeps.push(Sweep { axes: parts.into_iter().map(str::to_owned).collect(), values: vec![value] });
            }
        }
        if sweeps.len() == first {
            return Err(syntax().into());
        }
    }
    let mut shapes = vec![Shape::default()];
    for sweep in &sweeps {
        shapes = shapes
            .iter()
            .flat_map(|shape| {
                sweep.values.iter().map(|value| {
                    let mut shape = shape.clone();
                    for axis in &sweep.axes {
                        shape.set(axis, *value);
                    }
                    shape
                })
            })
            .collect();
    }
    for shape in &shapes {
        shape.check()?;
    }
    Ok(shapes)
}

/// What the user selected.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Patterns of kernels; empty for the default suite, which has one variant for each problem and precision.
    pub kernels: Vec<String>,
    /// `--shape` texts; empty for each problem's default.
    pub shapes: Vec<String>,
    /// Distributions of the inputs, a case each; empty for normal ones.
    pub patterns: Vec<DataPattern>,
    /// Seed of the inputs.
    pub seed: u64,
}

/// Lists the cases of a selection on some devices in order of the problems, probes first: every variant that was named, or
/// one variant for each problem and precision.
///
/// A shape that a problem cannot have in some precision is planned too if some other case can run: its skip says why. It is
/// an error if no case can have its shape.
pub fn cases(selection: &Selection, devices: &[Device]) -> Result<Vec<Case>, PlanError> {
    let given = shapes(&selection.shapes)?;
    let patterns = if selection.patterns.is_empty() { vec![DataPattern::Normal] } else { selection.patterns.clone() };
    let mut cases = Vec::new();
    if selection.kernels.is_empty() {
        let offered = suite::offered();
        check_axes(&given, offered.iter().map(|(problem, _)| *problem))?;
        for device in devices {
            for (problem, element) in &offered {
                for shape in full_shapes(*problem, &given, device, *element) {
                    let variant = suite::preferred(device, problem.id(), *element, &shape, None);
                    for pattern in &patterns {
                        cases.extend(
                            variant.map(|variant| {
                                case(device, *problem, variant, shape.clone(), *pattern, selection.seed)
                            }),
                        );
                    }
                }
            }
        }
    } else {
        let variants = selected_variants(selection)?;
        check_axes(&given, variants.iter().map(|(problem, _)| *problem))?;
        for device in devices {
            for (problem, variant) in &variants {
                for shape in full_shapes(*problem, &given, device, variant.element) {
                    for pattern in &patterns {
                        cases.push(case(device, *problem, variant, shape.clone(), *pattern, selection.seed));
                    }
                }
            }
        }
    }
    let mut refusals = cases.iter().map(refusal);
    match refusals.next() {
        None => Err(PlanError::Empty),
        Some(Some(first)) if refusals.all(|refusal| refusal.is_some()) => Err(first.into()),
        Some(_) => Ok(cases),
    }
}

/// Why a case cannot have its shape; `None` if it can.
fn refusal(case: &Case) -> Option<ShapeError> {
    workload::problem(&case.problem)?.check_for(&case.shape, case.element).err()
}

/// Speed class of a device.
pub(super) fn class_of(device: &Device) -> DeviceClass {
    if device.is_software() { DeviceClass::Software } else { DeviceClass::Hardware }
}

/// The given shapes as far as they concern a problem, completed by its defaults, each once.
fn full_shapes(problem: &dyn Problem, given: &[Shape], device: &Device, element: ElementType) -> Vec<Shape> {
    let mut seen: Vec<Shape> = Vec::new();
    for shape in given {
        let own = Shape::new(shape.iter().filter(|(axis, _)| problem.axes().iter().any(|a| a.name == *axis)));
        let full = problem.completed(Some(&own), class_of(device), element);
        if !seen.contains(&full) {
            seen.push(full);
        }
    }
    seen
}

type Selected = (&'static dyn Problem, &'static Variant);

fn selected_variants(selection: &Selection) -> Result<Vec<Selected>, PlanError> {
    let mut picked: Vec<&'static Variant> = Vec::new();
    let mut broken = None;
    for pattern in &selection.kernels {
        let found = match kernel::matching(pattern) {
            // A broken variant leaves itself out, unless nothing else is selected.
            Err(error @ kernel::KernelError::Broken { .. }) => {
                broken = broken.or(Some(error));
                continue;
            }
            found => found?,
        };
        for variant in found {
            if !picked.iter().any(|known| known.id == variant.id) {
                picked.push(variant);
            }
        }
    }
    if let Some(error) = broken.filter(|_| picked.is_empty()) {
        return Err(error.into());
    }
    let ordered = workload::problems().iter().flat_map(|problem| {
        let own: Vec<Selected> = picked.iter().filter(|v| v.problem == problem.id()).map(|v| (*problem, *v)).collect();
        own
    });
    Ok(ordered.collect())
}

fn check_axes(shapes: &[Shape], problems: impl Iterator<Item = &'static dyn Problem>) -> Result<(), PlanError> {
    let mut names: Vec<&str> = problems.flat_map(|problem| problem.axes().iter().map(|axis| axis.name)).collect();
    names.sort_unstable();
    names.dedup();
    for shape in shapes {
        if let Some((axis, _)) = shape.iter().find(|(axis, _)| !names.contains(axis)) {
            return Err(PlanError::UnknownAxis { axis: axis.to_owned(), known: names.join(", ") });
        }
    }
    Ok(())
}

pub(super) fn case(
    device: &Device,
    problem: &dyn Problem,
    variant: &Variant,
    shape: Shape,
    pattern: DataPattern,
    seed: u64,
) -> Case {
    Case {
        device: device.ordinal,
        problem: problem.id().to_owned(),
        variant: variant.id.clone(),
        work: problem.work(&shape, variant.element),
        shape,
        element: variant.element,
        pattern,
        seed,
        params: variant.default_params(device),
        counted: problem.counted(),
        unit: variant.unit(),
        shader_sha256: variant.sha256.clone(),
    }
}

/// Expected duration of a run, without building pipelines.
pub fn expected_duration(settings: &Settings, cases: &[Case]) -> Seconds {
    let mut devices: Vec<u32> = cases.iter().map(|case| case.device).collect();
    devices.sort_unstable();
    devices.dedup();
    let windows = f64::from(settings.windows_max);
    let preheat = if presets::wants_steadiness(settings) {
        // The rule is usually met soon after its span has passed once.
        let usual = settings.preheat_min_s.max_of(settings.steady_span_s) * 1.5;
        if usual.get() > settings.preheat_max_s.get() { settings.preheat_max_s } else { usual }
    } else {
        settings.preheat_min_s
    };
    let preheats = if settings.interleaved { windows } else { 1.0 };
    let lead = settings.submission_s * f64::from(settings.in_flight);
    let each =
        OVERHEAD_PER_CASE + preheat * preheats + (settings.window_s + lead + settings.random_gap_s * 0.5) * windows;
    settings.idle_s * (2.0 * devices.len() as f64) + each * cases.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Vec<String> {
        let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
        shapes(&texts).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn linked_axes_take_each_value_together() {
        assert_eq!(read(&["m=n=k=1024,2048"]), ["k=1024 m=1024 n=1024", "k=2048 m=2048 n=2048"]);
    }

    #[test]
    fn separate_sweeps_multiply_whether_in_one_text_or_two() {
        let four = ["m=1 n=3", "m=1 n=4", "m=2 n=3", "m=2 n=4"];
        assert_eq!(read(&["m=1,2,n=3,4"]), four);
        assert_eq!(read(&["m=1,2", "n=3,4"]), four);
        assert_eq!(read(&["m=1,2 n=3,4"]), four);
    }

    #[test]
    fn no_shape_is_one_empty_shape_and_nonsense_is_refused() {
        assert_eq!(read(&[]), [""]);
        for text in ["", ",", "1024", "m=", "m=a", "=3", "m=n", "M=3", "m=0", "m=1,0", "m=1,m=2"] {
            assert!(shapes(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}
