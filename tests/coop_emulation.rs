//! Shaders for matrix units, run without any: the shipped templates' own text, with each matrix operation replaced by loops.
//!
//! An operand becomes a place in memory, a sum 1/8 of its elements in each of the 8 lanes, so that tiling, staging, edges
//! and indices are checked to the last output on Mesa's software adapter. What this cannot show: how a driver shares a
//! matrix among lanes, and whether it honours the memory model.

// Helpers outside of test functions may stop the test too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;

use wattmark::clock::WallClock;
use wattmark::gpu::{Accelerator, ByteRange, GpuError, Job, Machine, Role, WgpuMachine};
use wattmark::kernel;
use wattmark::measure::plan::{self, Selection};
use wattmark::model::{CooperativeShape, Device, Feature, Scalar, Translation};
use wattmark::verify::ProbePlan;
use wattmark::verify::prepare::{program_of, write_inputs};
use wattmark::workload::{TensorRole, problem};

const SEED: u64 = 20_240_229;

/// Lanes of a subgroup of the software adapter.
const LANES: usize = 8;

/// Translation of a shader, line by line.
struct Emulation<'a> {
    source: &'a str,
    /// Rows, columns and depth of its matrices.
    size: usize,
    /// Operands by name, as last read.
    places: BTreeMap<String, Operand>,
}

/// An operand in memory: its buffer, elements from one row (or column) to the next, and how they are stored.
struct Operand {
    name: String,
    buffer: String,
    stride: String,
    wide: bool,
    row_major: bool,
}

impl Operand {
    fn element(&self, row: &str, column: &str) -> String {
        let Self { name, buffer, stride, wide, row_major } = self;
        let (major, minor) = if *row_major { (row, column) } else { (column, row) };
        match wide {
            true => format!("f32({buffer}[{name} + ({major}) * ({stride}) + ({minor}) / 4u][({minor}) % 4u])"),
            false => format!("f32({buffer}[{name} + ({major}) * ({stride}) + ({minor})])"),
        }
    }
}

/// Buffer, index and stride of the operands `&buffer[index], stride` of a load or a store.
fn place(operands: &str) -> (&str, &str, &str) {
    let (pointer, stride) = operands.rsplit_once(", ").unwrap();
    let (buffer, index) = pointer.strip_prefix('&').unwrap().split_once('[').unwrap();
    (buffer, index.strip_suffix(']').unwrap(), stride)
}

impl Emulation<'_> {
    /// Whether a buffer is one of vectors, and its scalar type.
    fn elements(&self, buffer: &str) -> (bool, &'static str) {
        let declared = self.source.split_once(&format!("> {buffer}: array<")).unwrap().1;
        let (wide, scalar) = match declared.strip_prefix("vec4<") {
            Some(scalar) => (true, scalar),
            None => (false, declared),
        };
        (wide, if scalar.starts_with("f16") { "f16" } else { "f32" })
    }

    /// Element `[mi][mj]` of a matrix in a buffer, by rows.
    fn element(&self, buffer: &str, index: &str, stride: &str) -> String {
        match self.elements(buffer).0 {
            true => format!("{buffer}[{index} + mi * ({stride}) + mj / 4u][mj % 4u]"),
            false => format!("{buffer}[{index} + mi * ({stride}) + mj]"),
        }
    }

    /// One line of WGSL without matrices for one that may have them.
    fn line(&mut self, line: &str) -> String {
        let (size, share) = (self.size, self.size * self.size / LANES);
        let text = line.trim();
        // Row and column of the element number q of this lane.
        let own = format!("let me = mq * {LANES}u + own; let mi = me / {size}u; let mj = me % {size}u;");
        if let Some((name, _)) = text.strip_prefix("var ").and_then(|rest| rest.split_once(": coop_mat")) {
            return format!("var {name}: array<f32, {share}>;");
        }
        if let Some((name, load)) = text.strip_prefix("let ").and_then(|rest| rest.split_once(" = coopLoad")) {
            let operands = load.split_once(">>(").unwrap().1.strip_suffix(");").unwrap();
            let (buffer, index, stride) = place(operands);
            let operand = Operand {
                name: name.to_owned(),
                buffer: buffer.to_owned(),
                stride: stride.to_owned(),
                wide: self.elements(buffer).0,
                row_major: load.starts_with('T'),
            };
            self.places.insert(name.to_owned(), operand);
            return format!("let {name} = {index};");
        }
        if let Some((name, sums)) = text.split_once(" = coopLoadT<coop_mat16x16<f32, C>>(") {
            let (buffer, index, stride) = place(sums.strip_suffix(");").unwrap());
            let element = self.element(buffer, index, stride);
            return format!("for (var mq = 0u; mq < {share}u; mq++) {{ {own} {name}[mq] = f32({element}); }}");
        }
        if let Some((name, operands)) = text.split_once(" = coopMultiplyAdd(") {
            let operands: Vec<&str> = operands.strip_suffix(");").unwrap().split(", ").collect();
            assert_eq!(operands[2], name, "sums are added to in place: {text}");
            let (a, b) = (self.places[operands[0]].element("mi", "mk"), self.places[operands[1]].element("mk", "mj"));
            let steps = share * size;
            // One flat loop: Mesa unrolls short ones, and then compiles for minutes.
            return format!(
                "for (var ms = 0u; ms < {steps}u; ms++) {{ let mq = ms / {size}u; let mk = ms % {size}u; {own} {name}[mq] += {a} * {b}; }}"
            );
        }
        if let Some(operands) = text.strip_prefix("coopStoreT(") {
            let (name, operands) = operands.strip_suffix(");").unwrap().split_once(", ").unwrap();
            let (buffer, index, stride) = place(operands);
            let scalar = self.elements(buffer).1;
            let element = self.element(buffer, index, stride);
            return format!("for (var mq = 0u; mq < {share}u; mq++) {{ {own} {element} = {scalar}({name}[mq]); }}");
        }
        line.to_owned()
    }
}

/// The shader without matrices.
fn emulated(wgsl: &str) -> String {
    let size = if wgsl.contains("coop_mat8x8") { 8 } else { 16 };
    let mut emulation = Emulation { source: wgsl, size, places: BTreeMap::new() };
    let lines = wgsl.lines().filter(|line| line.trim() != "enable wgpu_cooperative_matrix;");
    let source = lines.map(|line| emulation.line(line)).collect::<Vec<_>>().join("\n");
    assert!(!source.contains("coop"), "a matrix operation is left:\n{source}");
    let lane = "@builtin(subgroup_invocation_id) own: u32";
    if source.contains(lane) { source } else { source.replacen("fn main(", &format!("fn main({lane}, "), 1) }
}

/// The adapter as if it had matrix units.
fn with_matrices(device: &Device) -> Device {
    let types = [(Scalar::F16, Scalar::F16), (Scalar::F16, Scalar::F32), (Scalar::F32, Scalar::F32)];
    let square = |size: u32| types.map(|(ab, c)| CooperativeShape { m: size, n: size, k: size, ab, c });
    let mut features = device.features.clone();
    features.extend([Feature::CooperativeMatrix, Feature::Passthrough]);
    Device { features, cooperative: [square(8), square(16)].concat(), ..device.clone() }
}

/// Outputs of a variant by emulation: how many elements, or what is wrong with them.
fn check(
    gpu: &mut dyn Accelerator,
    device: &Device,
    variant: &str,
    shape: &str,
    params: &[(&str, u64)],
    spoil: &dyn Fn(String) -> String,
) -> Result<usize, String> {
    let selection = Selection {
        kernels: vec![variant.to_owned()],
        shapes: vec![shape.to_owned()],
        seed: SEED,
        ..Selection::default()
    };
    let mut case = plan::cases(&selection, std::slice::from_ref(device)).unwrap().remove(0);
    case.params.extend(params.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect::<BTreeMap<_, _>>());
    let (instance, mut program) = program_of(&case, device).map_err(|skip| skip.detail)?;
    program.wgsl = spoil(emulated(&program.wgsl));
    program.translation = Translation::Trusted;
    program.requires.retain(|feature| [Feature::F16, Feature::Subgroup].contains(feature));
    let failed = |error: GpuError| error.to_string();
    gpu.load(&program).map_err(failed)?;
    write_inputs(gpu, &case, &instance).map_err(failed)?;
    let problem = problem(&case.problem).unwrap();
    let tensors = problem.tensors(&instance.shape, instance.element);
    let output = tensors.iter().position(|tensor| tensor.role == TensorRole::Output).unwrap();
    let whole = ByteRange { buffer: output, start: 0, end: tensors[output].bytes() };
    let plans: Vec<ProbePlan> = (0..3).map(|pick| ProbePlan::sample(problem, &instance, 800, pick)).collect();
    let mut jobs = vec![Job::Poison, Job::Run { dispatches: 2 }, Job::Probe { ranges: vec![whole] }];
    jobs.extend(plans.iter().map(|plan| Job::Probe { ranges: plan.ranges() }));
    let mut bytes = Vec::new();
    for job in &jobs {
        let ticket = gpu.submit(job).map_err(failed)?;
        bytes.push(gpu.wait(ticket).map_err(failed)?.bytes);
    }
    assert_eq!(program.buffers[output].role, Role::Output);
    let scan = gpu.scan_poison().map_err(failed)?;
    // An odd number of f16 leaves half a word that no shader may have to write.
    if scan.poisoned > 0 {
        return Err(format!("{} of {} words were never written", scan.poisoned, scan.words));
    }
    for (plan, bytes) in plans.iter().zip(&bytes[3..]) {
        plan.check(bytes).map_err(|mismatch| mismatch.to_string())?;
    }
    // Bounds are checked above; this looks at every element for one that is plainly another's.
    let got: Vec<f64> = match tensors[output].element {
        Scalar::F16 => {
            bytes[2].chunks_exact(2).map(|two| half::f16::from_le_bytes(two.try_into().unwrap()).to_f64()).collect()
        }
        _ => bytes[2].chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()).into()).collect(),
    };
    for (index, got) in (0..tensors[output].len).zip(&got) {
        let expected = problem.output(&instance, output, index);
        if (got - expected).abs() > 0.02 * (1.0 + expected.abs()) {
            return Err(format!("element {index} is {got}, expected {expected}"));
        }
    }
    Ok(tensors[output].len as usize)
}

/// The software adapter, open, and what it would say of itself with matrix units.
fn software() -> (Box<dyn Accelerator>, Device) {
    let machine = WgpuMachine::discover(WallClock::start());
    let device = machine.devices().into_iter().find(Device::is_software).expect("install mesa-vulkan-drivers");
    (machine.open(device.ordinal).unwrap(), with_matrices(&device))
}

/// A source with every occurrence of something, of which there is one at least, replaced.
fn replaced(source: &str, old: &str, new: &str) -> String {
    assert!(source.contains(old), "`{old}` is not in the shader");
    source.replace(old, new)
}

/// Variant, shape and parameters.
type EmulatedCase<'a> = (&'a str, &'a str, &'a [(&'a str, u64)]);

/// Runs every case on the software adapter; what went wrong, by case.
fn all(cases: &[EmulatedCase<'_>]) {
    let (mut gpu, device) = software();
    let mut wrong = Vec::new();
    for (variant, shape, params) in cases {
        let start = std::time::Instant::now();
        match check(gpu.as_mut(), &device, variant, shape, params, &|source| source) {
            Ok(elements) => eprintln!("{variant} {shape} {params:?}: {elements} elements in {:?}", start.elapsed()),
            Err(why) => wrong.push(format!("{variant} {shape} {params:?}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

const SMALL: &[(&str, u64)] = &[("BM", 64), ("BN", 64), ("BK", 32), ("SGM", 2), ("SGN", 2)];
const OBLONG: &[(&str, u64)] = &[("BM", 64), ("BN", 128), ("BK", 16), ("SGM", 1), ("SGN", 4), ("SWIZZLE", 1)];

const FINE: &[(&str, u64)] = &[("BM", 64), ("BN", 64), ("BK", 16), ("SGM", 4), ("SGN", 4)];

#[test]
fn products_by_way_of_workgroup_memory_are_right_at_aligned_and_ragged_shapes() {
    all(&[
        ("gemm/coop-staged-f16-f32", "m=128,n=64,k=64", SMALL),
        // An edge that a matrix does not divide beside a whole tile; k that 8 divides, but no step.
        ("gemm/coop-prefetch-f16-f32", "m=70,n=72,k=40", SMALL),
        ("gemm/coop-staged-f16-f32", "m=67,n=71,k=37", SMALL),
        ("gemm/coop-prefetch-f16-f32", "m=1,n=67,k=33", SMALL),
        ("gemm/coop-prefetch-f16", "m=66,n=136,k=48", FINE),
    ]);
}

#[test]
fn products_straight_from_buffers_are_right_at_multiples_of_a_matrix() {
    all(&[("gemm/coop-direct-f16-f32", "m=80,n=112,k=80", SMALL), ("gemm/coop-direct-f16", "m=16,n=144,k=48", OBLONG)]);
}

#[test]
fn chains_in_registers_are_right_to_the_last_bit() {
    all(&[
        ("matrix-fma/chains-f32", "n=32,steps=5", &[("CHAINS", 2), ("SUBGROUPS", 1), ("UNROLL", 2)]),
        ("matrix-fma/chains-f16-f32", "n=48,steps=7", &[("CHAINS", 1), ("SUBGROUPS", 4), ("UNROLL", 2)]),
        ("matrix-fma/chains-f16", "n=16,steps=3", &[("CHAINS", 4), ("SUBGROUPS", 1), ("UNROLL", 2)]),
    ]);
}

#[test]
fn attention_is_right() {
    all(&[
        ("attention-prefill/coop-f16", "batch=1,heads=2,kv_heads=1,seq=70,dim=16", &[("QM", 1), ("BK", 16)]),
        ("attention-prefill/coop-f16", "batch=2,heads=1,kv_heads=1,seq=48,dim=16", &[("SUBGROUPS", 1), ("BK", 16)]),
    ]);
}

#[test]
fn attention_is_right_where_every_new_maximum_counts_and_not_if_sums_are_not_brought_down_to_it() {
    let (mut gpu, device) = software();
    let (shape, params) = ("batch=1,heads=1,kv_heads=1,seq=70,dim=16", &[("QM", 1), ("BK", 16)]);
    let always = |source: String| replaced(&source, " + 8.0) {", " + 0.0) {");
    check(gpu.as_mut(), &device, "attention-prefill/coop-f16", shape, params, &always).unwrap();
    let lost = |source: String| replaced(&always(source), "] *= shrink0;", "] *= 1.0;");
    let why = check(gpu.as_mut(), &device, "attention-prefill/coop-f16", shape, params, &lost).unwrap_err();
    assert!(why.contains("wrong"), "{why}");
}

#[test]
fn a_wrong_index_is_caught() {
    let (mut gpu, device) = software();
    let (variant, shape) = ("gemm/coop-staged-f16-f32", "m=n=64,k=32");
    let place = "let mine_m = subgroup / 2u * 32u";
    let half = |source: String| replaced(&source, place, "let mine_m = subgroup / 2u * 16u");
    let why = check(gpu.as_mut(), &device, variant, shape, SMALL, &half).unwrap_err();
    assert!(why.contains("never written"), "{why}");
    let column = |source: String| replaced(&source, "+ mine_n / 4u;", "+ mine_n / 8u;");
    let why = check(gpu.as_mut(), &device, variant, shape, SMALL, &column);
    assert!(why.is_err(), "b was read from the wrong columns");
}

#[test]
fn patched_variants_are_the_same_text() {
    let (_, device) = software();
    let text = |id: &str, shape: &str| {
        let variant = kernel::find(id).unwrap();
        variant.render(&shape.parse().unwrap(), &BTreeMap::new(), &device).unwrap().wgsl
    };
    for (plain, patched, shape) in [
        ("gemm/coop-staged-f16-f32", "gemm/coop-staged-patched-f16-f32", "m=n=k=100"),
        ("gemm/coop-prefetch-f16-f32", "gemm/coop-prefetch-patched-f16-f32", "m=n=k=100"),
        ("gemm/coop-prefetch-f16", "gemm/coop-prefetch-patched-f16", "m=n=k=100"),
        ("attention-prefill/coop-f16", "attention-prefill/coop-patched-f16", "batch=heads=kv_heads=1,seq=100,dim=64"),
    ] {
        assert!(text(plain, shape) == text(patched, shape), "{patched} is not {plain}");
    }
}
