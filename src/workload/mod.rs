//! Problems: what is computed, how much work that is, on which inputs, and what the right answer is.
//!
//! One file per family. A problem knows nothing of shaders; variants live in `shaders/` and [`crate::kernel`]. Inputs are
//! functions of (seed, buffer, index), so that the device's buffers and the float64 reference need no shared memory.
//! What surprises people: the work formula counts the problem, not what a kernel happens to execute.

use crate::model::{Counted, DataPattern, ElementType, Shape, Work};

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
    /// Element type.
    pub element: ElementType,
    /// Number of elements.
    pub len: u64,
    /// Operand or result.
    pub role: TensorRole,
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
    /// Writes elements `first..first + out.len()` of an input tensor, already rounded to its element type.
    fn fill(&self, instance: &Instance, tensor: usize, first: u64, out: &mut [f32]);
    /// About `samples` output elements chosen to include every corner and edge class of a tiled kernel, with their
    /// float64 values and error bounds. `pick` seeds the choice.
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected>;
}
