//! `wattmark list`: problems and the kernel variants that compute them.
//!
//! The catalogue comes from the embedded shaders, so no device is opened. What surprises people: a variant that cannot
//! be used is listed too, with the reason, instead of being left out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::Context as _;
use serde::Serialize;

use crate::cli::shaders::ShaderArgs;
use crate::cli::{Console, Exit, Failure};
use crate::kernel::{self, Broken, KernelError, Parameter, Variant};
use crate::model::{Device, DeviceKind, DeviceLimits, ElementType, Feature, SubgroupRange, Unit};
use crate::workload::{self, DeviceClass};

/// Width of the table in columns where the terminal's width is not known.
const WIDTH: u16 = 100;

/// Arguments of `wattmark list`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only kernels that match: a name, a problem, or a glob such as 'gemm/*' or '*-f16'.
    #[arg(default_value = "*")]
    pub pattern: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Kernels of the user's own.
    #[command(flatten)]
    pub shaders: ShaderArgs,
}

/// One variant in `--json`.
#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    problem: &'a str,
    element: ElementType,
    requires: Vec<Feature>,
    default_on: Vec<&'static str>,
    summary: &'a str,
    params: BTreeMap<&'a str, ParameterRow<'a>>,
    shader_sha256: &'a str,
}

/// One parameter in `--json`.
#[derive(Debug, Serialize)]
struct ParameterRow<'a> {
    default: u64,
    default_software: Option<u64>,
    candidates: &'a [u64],
}

/// A variant that cannot be used, in `--json`.
#[derive(Debug, Serialize)]
struct BrokenRow<'a> {
    id: &'a str,
    message: &'a str,
}

/// The whole of `--json`.
#[derive(Debug, Serialize)]
struct Listing<'a> {
    kernels: Vec<Row<'a>>,
    broken: Vec<BrokenRow<'a>>,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    args.shaders.load(console)?;
    let variants = match kernel::matching(&args.pattern) {
        Ok(variants) => variants,
        // A pattern that names only broken variants still lists them.
        Err(KernelError::Broken { .. }) => Vec::new(),
        Err(error) => return Err(Failure::usage(error.to_string()).into()),
    };
    let broken = kernel::broken();
    if args.json {
        let text = serde_json::to_string_pretty(&listing(&variants, broken))?;
        writeln!(console.out, "{text}").context("cannot write the result to standard output")?;
        return Ok(Exit::Ok);
    }
    let terminal = if console.out_is_terminal { comfy_table::Table::new().width() } else { None };
    let width = usize::from(terminal.unwrap_or(WIDTH).min(WIDTH));
    write_text(&variants, width, &mut console.out)?;
    let told = |id: &str| kernel::user_shaders().iter().any(|shader| shader.variant == id);
    for Broken { id, message } in broken.iter().filter(|broken| !told(&broken.id)) {
        console.note(&format!("warning: kernel {id} cannot be used: {message}"));
    }
    Ok(Exit::Ok)
}

/// Variants under the heading of their problem: name, element type, and in a third column what they do, their
/// parameters and what they need.
fn write_text(variants: &[&Variant], width: usize, out: &mut dyn Write) -> std::io::Result<()> {
    let names = variants.iter().map(|variant| variant.id.len()).max().unwrap_or_default();
    let elements = variants.iter().map(|variant| variant.element.name().len()).max().unwrap_or_default();
    let indent = names + elements + 6;
    let room = width.saturating_sub(indent).max(30);
    let mut last = "";
    for variant in variants {
        if variant.problem != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            writeln!(out, "{gap}{}", heading(&variant.problem))?;
            last = &variant.problem;
        }
        let mut lines = fill(variant.summary.split(' '), " ", room);
        let parameters: Vec<String> = variant.params.iter().map(|(name, values)| in_words(name, values)).collect();
        lines.extend(fill(parameters.iter().map(String::as_str), "   ", room));
        if !variant.requires.is_empty() {
            let features: Vec<String> = variant.requires.iter().map(Feature::to_string).collect();
            lines.push(format!("needs {}", features.join(", ")));
        }
        let (mut name, mut element) = (variant.id.as_str(), variant.element.to_string());
        if let Some(mark) = marks(variant) {
            lines.extend(fill(mark.split(' '), " ", room));
        }
        for line in lines {
            writeln!(out, "  {name:names$}  {element:elements$}  {line}")?;
            (name, element) = ("", String::new());
        }
    }
    writeln!(out, "\n* default   s default on software adapters")
}

/// Classes of devices that a variant's rank may tell apart: name, kind and PCI vendor.
const CLASSES: [(&str, DeviceKind, u32); 6] = [
    ("software", DeviceKind::Software, 0x10005),
    ("nvidia", DeviceKind::Discrete, 0x10de),
    ("amd", DeviceKind::Discrete, 0x1002),
    ("intel", DeviceKind::Discrete, 0x8086),
    ("apple", DeviceKind::Integrated, 0x106b),
    ("other", DeviceKind::Other, 0),
];

/// A device of a class, as far as ranks look at it.
fn device_of((name, kind, vendor_id): (&str, DeviceKind, u32)) -> Device {
    Device {
        ordinal: 0,
        name: name.to_owned(),
        vendor_id,
        device_id: 0,
        kind,
        backend: String::new(),
        driver: String::new(),
        driver_info: String::new(),
        pci: None,
        subgroup: SubgroupRange { min: 32, max: 32 },
        features: BTreeSet::new(),
        limits: DeviceLimits {
            max_buffer_bytes: 0,
            max_binding_bytes: 0,
            max_workgroup_memory_bytes: 0,
            max_invocations_per_workgroup: 0,
            max_workgroup_size: [0; 3],
            max_workgroups_per_dimension: 0,
            max_storage_buffers: 0,
        },
        timestamp_period_ns: None,
        cooperative: Vec::new(),
    }
}

/// Classes on which a variant stands for its problem and precision where nothing was tuned: the highest in rank of those
/// that demand no more of the device than it does.
fn default_on(variant: &Variant) -> Vec<&'static str> {
    let rivals: Vec<&Variant> = kernel::variants()
        .iter()
        .filter(|other| other.problem == variant.problem && other.element == variant.element)
        .filter(|other| other.requires.is_subset(&variant.requires))
        .filter(|other| variant.unit() == Unit::Matrix || other.unit() == Unit::Vector)
        .collect();
    let wins = |class: &(&'static str, DeviceKind, u32)| {
        let device = device_of(*class);
        // Of equal ranks the first by name.
        let class = if device.is_software() { DeviceClass::Software } else { DeviceClass::Hardware };
        let shape = workload::problem(&variant.problem)
            .map(|problem| problem.default_shape_for(class, variant.element))
            .unwrap_or_default();
        let best = rivals.iter().rev().max_by_key(|rival| rival.preference_at(&shape, &device));
        best.is_some_and(|best| best.id == variant.id)
    };
    CLASSES.into_iter().filter(wins).map(|(name, ..)| name).collect()
}

/// The line that says where a variant is the default; none where it never is.
fn marks(variant: &Variant) -> Option<String> {
    let classes = default_on(variant);
    let on = match classes.len() {
        0 => return None,
        n if n == CLASSES.len() => "every device".to_owned(),
        _ => classes.join(", "),
    };
    let matrices = if variant.unit() == Unit::Matrix { " where it has these matrices" } else { "" };
    Some(format!("default on {on}{matrices}"))
}

/// Columns for a problem's formula beside its label.
const WORK_WIDTH: usize = 88;

/// Lines above a problem's variants: what it is, its formula and its work.
fn heading(problem: &str) -> String {
    match workload::problem(problem) {
        Some(known) => {
            let parts = known.formula().split("; ");
            // A part that is too long for a line goes on in the next, broken between words.
            let parts = parts.map(|part| fill(part.split(' '), " ", WORK_WIDTH).join("\n          "));
            let parts: Vec<String> = parts.collect();
            let work = fill(parts.iter().map(String::as_str), "; ", WORK_WIDTH);
            format!("{problem}: {}\n  work: {}", known.summary(), work.join(";\n        "))
        }
        None => problem.to_owned(),
    }
}

/// Lines of at most `room` columns, broken only between items.
fn fill<'a>(items: impl Iterator<Item = &'a str>, separator: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if line.chars().count() + separator.len() + item.chars().count() <= room => {
                line.push_str(separator);
                line.push_str(item);
            }
            _ => lines.push(item.to_owned()),
        }
    }
    lines
}

/// A parameter's candidates, the default marked `*` and the one for software adapters `s`.
fn in_words(name: &str, parameter: &Parameter) -> String {
    let values: Vec<String> = parameter
        .values()
        .into_iter()
        .map(|value| {
            let default = if value == parameter.default.default { "*" } else { "" };
            let software = if Some(value) == parameter.default.software { "s" } else { "" };
            format!("{value}{default}{software}")
        })
        .collect();
    format!("{name} {}", values.join(" "))
}

fn listing<'a>(variants: &[&'a Variant], broken: &'a [Broken]) -> Listing<'a> {
    let row = |variant: &&'a Variant| Row {
        id: &variant.id,
        problem: &variant.problem,
        element: variant.element,
        requires: variant.requires.iter().copied().collect(),
        default_on: default_on(variant),
        summary: &variant.summary,
        params: variant.params.iter().map(|(name, parameter)| (name.as_str(), parameter_row(parameter))).collect(),
        shader_sha256: &variant.sha256,
    };
    let broken = broken.iter().map(|broken| BrokenRow { id: &broken.id, message: &broken.message }).collect();
    Listing { kernels: variants.iter().map(row).collect(), broken }
}

fn parameter_row(parameter: &Parameter) -> ParameterRow<'_> {
    ParameterRow {
        default: parameter.default.default,
        default_software: parameter.default.software,
        candidates: &parameter.candidates,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_never_broken_and_lines_never_too_long() {
        let lines = fill(["aaa", "bb bb", "c", "dddddddddddd"].into_iter(), " ", 9);
        assert_eq!(lines, ["aaa bb bb", "c", "dddddddddddd"]);
    }

    #[test]
    fn the_table_fits_its_width() {
        let variants: Vec<&Variant> = kernel::variants().iter().collect();
        let mut out = Vec::new();
        write_text(&variants, 100, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let named = |line: &&str| variants.iter().any(|variant| line.trim_start().starts_with(&variant.id));
        assert_eq!(text.lines().filter(named).count(), variants.len());
    }

    #[test]
    fn defaults_are_marked() {
        let text = "default = 16\ncandidates = [4, 8, 16]\nsoftware = 8";
        let parameter: Parameter = toml::from_str(text).unwrap();
        assert_eq!(in_words("WX", &parameter), "WX 4 8s 16*");
    }
}
