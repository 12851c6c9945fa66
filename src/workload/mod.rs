//! Problems: what is computed, how much work that is, on which inputs, and what the right answer is.
//!
//! One file per family. A problem knows nothing of shaders; variants live in `shaders/` and [`crate::kernel`]. Inputs are
//! functions of (seed, buffer, index), so that the device's buffers and the float64 reference need no shared memory.
//! What surprises people: the work formula counts the problem, not what a kernel happens to execute.

use crate::model::{Counted, DataPattern, ElementType, Scalar, Shape, ShapeError, Work};
use crate::units::{Bytes, Flop};

mod attention;
mod blocks;
mod bounds;
mod conv2d;
mod dot;
mod dot4;
mod elementwise;
mod embedding;
mod encode;
mod fma;
mod gemm;
mod gemm_batched;
mod gemv;
mod inputs;
mod layer;
mod layer_reference;
mod layernorm;
mod matrix_fma;
mod memory;
mod product;
mod rmsnorm;
mod rope;
mod samples;
mod softmax;
mod swiglu;

pub use inputs::Inputs;
pub(crate) use inputs::Picks;
pub use product::{Accumulation, Product, RowFiller};

/// Whether a tensor is an operand or a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorRole {
    /// Operand.
    Input,
    /// Result.
    Output,
}

/// One operand or result; its index in [`Problem::tensors`] is its binding number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Name, as in the formula.
    pub name: &'static str,
    /// Type of its elements in memory.
    pub element: Scalar,
    /// Number of elements.
    pub len: u64,
    /// Operand or result.
    pub role: TensorRole,
}

impl Tensor {
    /// Size of its buffer: whole words, so that the last may hold padding.
    pub fn bytes(&self) -> u64 {
        self.len.saturating_mul(self.element.bytes()).next_multiple_of(4)
    }
}

/// One fully specified instance of a problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Extents.
    pub shape: Shape,
    /// Element type of the main operand.
    pub element: ElementType,
    /// Distribution of inputs.
    pub pattern: DataPattern,
    /// Seed of inputs.
    pub seed: u64,
}

/// An output element that is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Index of the tensor.
    pub tensor: usize,
    /// Index of the element in it.
    pub index: u64,
    /// Value by the float64 reference.
    pub value: f64,
    /// Largest permitted absolute difference; 0 demands equality to the last bit.
    pub bound: f64,
}

/// An axis of a problem's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Name, as in `--shape m=1024`.
    pub name: &'static str,
    /// Meaning, in a few words.
    pub meaning: &'static str,
}

/// Speed class of a device, for default shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceClass {
    /// A hardware GPU.
    Hardware,
    /// The CPU through a software driver, a thousand times slower.
    Software,
}

/// A family of computations with one work formula.
pub trait Problem: Sync {
    /// Name, for example `gemm`.
    fn id(&self) -> &'static str;
    /// One sentence.
    fn summary(&self) -> &'static str;
    /// The formula, FLOP count and byte count, in one line of plain text.
    fn formula(&self) -> &'static str;
    /// Axes of the shape.
    fn axes(&self) -> &'static [Axis];
    /// Whether the field counts FLOP or bytes for it.
    fn counted(&self) -> Counted;
    /// Shape used when the user names none; axes that a user leaves out come from here too.
    fn default_shape(&self, class: DeviceClass) -> Shape;
    /// Work of one execution.
    fn work(&self, shape: &Shape, element: ElementType) -> Work;
    /// Operands and results in order of binding.
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor>;
    /// Elements of one row of a tensor: its last extent, so that a message can name row and column.
    fn row_length(&self, shape: &Shape, tensor: usize) -> u64;
    /// Value of one output element by the float64 reference, before rounding to its element type; NaN for an index or
    /// tensor that is not an output. Costs a whole dot product or more: meant for checks and small shapes.
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64;
    /// About `samples` output elements chosen to include every corner and edge class of a tiled kernel, with their
    /// float64 values and error bounds. `pick` seeds the choice.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected>;

    /// The matrix product that one of the outputs is, for Freivalds' check; `None` if there is none.
    fn product<'a>(&'a self, _instance: &'a Instance) -> Option<Product<'a>> {
        None
    }
    /// Whether the main operand may have this type.
    fn supports(&self, element: ElementType) -> bool {
        element == ElementType::F32
    }
    /// Why this data in this precision cannot be checked, with what to change; `None` if it can. Such a case is skipped.
    fn refuses(&self, _instance: &Instance) -> Option<String> {
        None
    }
    /// The rule that the extents break together, with what to change; `None` if they fit.
    fn rule(&self, _shape: &Shape) -> Option<String> {
        None
    }
    /// The rule that the extents break for this type of the main operand, beyond [`Problem::rule`]; `None` if they fit.
    fn element_rule(&self, _shape: &Shape, _element: ElementType) -> Option<String> {
        None
    }
    /// Default shape for a type of the main operand, where small elements need more of them.
    fn default_shape_for(&self, class: DeviceClass, _element: ElementType) -> Shape {
        self.default_shape(class)
    }
    /// Factor on the standard normal values of an input tensor: a power of two, so that significands stay as they are.
    fn scale(&self, _shape: &Shape, _tensor: usize) -> f64 {
        1.0
    }
    /// Writes elements `first..first + out.len()` of an input tensor, already rounded to its element type.
    fn fill(&self, instance: &Instance, tensor: usize, first: u64, out: &mut [f32]) {
        self.inputs(instance, tensor).fill(first, out);
    }
    /// Writes the buffer of an input tensor from byte `offset` (a multiple of 8) on, padding as 0. Problems that pack values
    /// into words say here how.
    fn write(&self, instance: &Instance, tensor: usize, offset: u64, out: &mut [u8]) {
        self.write_values(instance, tensor, offset, out);
    }
    /// [`Problem::write`] for a tensor that holds the values of [`Problem::fill`], one after the other.
    fn write_values(&self, instance: &Instance, tensor: usize, offset: u64, out: &mut [u8]) {
        let tensors = self.tensors(&instance.shape, instance.element);
        let Some(spec) = tensors.get(tensor) else { return };
        let size = spec.element.bytes();
        let first = offset / size;
        let count = (out.len() as u64 / size).min(spec.len.saturating_sub(first)) as usize;
        let mut values = vec![0_f32; count];
        self.fill(instance, tensor, first, &mut values);
        encode::encode(spec.element, &values, out);
        out[count * size as usize..].fill(0);
    }
    /// The values of an input tensor, one by one.
    fn inputs(&self, instance: &Instance, tensor: usize) -> Inputs {
        let tensors = self.tensors(&instance.shape, instance.element);
        let element = tensors.get(tensor).map_or(instance.element.scalar(), |tensor| tensor.element);
        Inputs::new(instance, tensor, element).scaled(self.scale(&instance.shape, tensor))
    }
    /// Refuses axes that the problem does not have, extents out of range, and extents that do not fit together.
    fn check(&self, shape: &Shape) -> Result<(), ShapeError> {
        self.check_for(shape, ElementType::F32)
    }
    /// [`Problem::check`] for a type of the main operand.
    fn check_for(&self, shape: &Shape, element: ElementType) -> Result<(), ShapeError> {
        shape.check()?;
        let names: Vec<&str> = self.axes().iter().map(|axis| axis.name).collect();
        if let Some((axis, _)) = shape.iter().find(|(axis, _)| !names.contains(axis)) {
            return Err(ShapeError::UnknownAxis {
                problem: self.id().to_owned(),
                axis: axis.to_owned(),
                axes: names.join(", "),
            });
        }
        let refused = |rule| ShapeError::Refused { problem: self.id().to_owned(), shape: shape.to_string(), rule };
        if let Some(rule) = self.rule(shape).or_else(|| self.element_rule(shape, element)) {
            return Err(refused(rule));
        }
        match self.tensors(shape, element).iter().find(|tensor| tensor.len > MAX_ELEMENTS) {
            Some(tensor) => {
                Err(refused(format!("tensor {} would have more than {MAX_ELEMENTS} elements", tensor.name)))
            }
            None => Ok(()),
        }
    }
    /// The default shape of a device class with the given axes in place of its own, checked.
    fn complete(&self, given: Option<&Shape>, class: DeviceClass) -> Result<Shape, ShapeError> {
        self.complete_for(given, class, ElementType::F32)
    }
    /// [`Problem::complete`] for a type of the main operand.
    fn complete_for(
        &self,
        given: Option<&Shape>,
        class: DeviceClass,
        element: ElementType,
    ) -> Result<Shape, ShapeError> {
        let shape = self.completed(given, class, element);
        self.check_for(&shape, element)?;
        Ok(shape)
    }
    /// The default shape with the given axes in place of its own, whether the problem can have it or not.
    fn completed(&self, given: Option<&Shape>, class: DeviceClass, element: ElementType) -> Shape {
        let mut shape = self.default_shape_for(class, element);
        for (axis, value) in given.into_iter().flat_map(Shape::iter) {
            shape.set(axis, value);
        }
        shape
    }
}

/// Most elements of one tensor that are accepted (2^40, as for an axis): a thousand times what any device holds today.
pub const MAX_ELEMENTS: u64 = Shape::MAX_EXTENT;

/// Problems whose best verified rate is the ceiling of a unit's arithmetic.
pub const ARITHMETIC_PROBES: [&str; 3] = ["fma", "dot4", "matrix-fma"];

/// Prefix of the problems whose best verified rate is the ceiling of bandwidth.
pub const MEMORY_PROBES: &str = "memory-";

/// True if a problem is measured for the ceiling that it sets.
pub fn is_probe(problem: &str) -> bool {
    ARITHMETIC_PROBES.contains(&problem) || problem.starts_with(MEMORY_PROBES)
}

static PROBLEMS: &[&dyn Problem] = &[
    &fma::Fma,
    &dot4::Dot4,
    &matrix_fma::MatrixFma,
    &memory::READ,
    &memory::WRITE,
    &memory::COPY,
    &memory::TRIAD,
    &memory::DOT,
    &gemm::Gemm,
    &gemm_batched::GemmBatched,
    &gemv::Gemv,
    &rmsnorm::RmsNorm,
    &layernorm::LayerNorm,
    &softmax::Softmax,
    &rope::RopeAppend,
    &attention::Prefill,
    &attention::Decode,
    &swiglu::SwiGlu,
    &conv2d::Conv2d,
    &elementwise::SILU_MUL,
    &elementwise::GELU,
    &elementwise::ADD,
    &embedding::Embedding,
    &layer::TransformerLayer,
];

/// Every problem, ceilings of the device first.
pub fn problems() -> &'static [&'static dyn Problem] {
    PROBLEMS
}

/// The problem with this name.
pub fn problem(id: &str) -> Option<&'static dyn Problem> {
    PROBLEMS.iter().copied().find(|problem| problem.id() == id)
}

/// The right bytes `start..end` of a tensor: an output by the float64 reference, or an input, each rounded to its element
/// type; bytes past the last element are 0. For simulated devices and small shapes: every element costs a reference.
pub fn oracle_bytes(problem: &dyn Problem, instance: &Instance, tensor: usize, start: u64, end: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(spec) = problem.tensors(&instance.shape, instance.element).get(tensor).cloned() else {
        return bytes;
    };
    let size = spec.element.bytes();
    if spec.role == TensorRole::Input {
        let aligned = start / 8 * 8;
        bytes.resize((end - aligned) as usize, 0);
        problem.write(instance, tensor, aligned, &mut bytes);
        bytes.drain(..(start - aligned) as usize);
        return bytes;
    }
    for index in start / size..end.div_ceil(size) {
        let value = if index < spec.len { problem.output(instance, tensor, index) } else { 0.0 };
        encode::push(spec.element, value, &mut bytes);
    }
    let skip = (start % size) as usize;
    bytes.drain(..skip.min(bytes.len()));
    bytes.truncate(end.saturating_sub(start) as usize);
    bytes
}

/// Number of elements of a tensor; saturates, so that absurd shapes are refused and never wrap around.
fn elements(extents: &[u64]) -> u64 {
    extents.iter().fold(1, |product: u64, extent| product.saturating_mul(*extent))
}

fn input(name: &'static str, element: Scalar, extents: &[u64]) -> Tensor {
    Tensor { name, element, len: elements(extents), role: TensorRole::Input }
}

fn output(name: &'static str, element: Scalar, extents: &[u64]) -> Tensor {
    Tensor { name, element, len: elements(extents), role: TensorRole::Output }
}

/// Work from plain numbers: FLOP and bytes.
fn work(flop: f64, bytes: f64) -> Work {
    Work { flop: Flop::new(flop), bytes: Bytes::new(bytes) }
}

/// Extents as floats, for work formulas: exact up to 2^53.
fn extents<const N: usize>(shape: &Shape, axes: [&str; N]) -> [f64; N] {
    axes.map(|axis| shape.get(axis) as f64)
}
