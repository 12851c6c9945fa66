//! Element by element: SiLU·mul, GELU and the residual addition of a transformer layer.
//!
//! What surprises people: GELU is the tanh form, 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) (Hendrycks and Gimpel 2016),
//! not the one with the error function. Memory limits all three, so bytes are counted; the FLOP are there for intensity.

use super::bounds::{DIVISION, U32, exponential, stored};
use super::{Axis, DeviceClass, Expected, Instance, Picks, Problem, Tensor, extents, input, output, samples, work};
use crate::model::{Counted, ElementType, Shape, Work};

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    SiluMul,
    Gelu,
    Add,
}

/// One of the problems `silu-mul`, `gelu`, `add`.
pub(super) struct Elementwise(Function);

/// `silu-mul`.
pub(super) static SILU_MUL: Elementwise = Elementwise(Function::SiluMul);
/// `gelu`.
pub(super) static GELU: Elementwise = Elementwise(Function::Gelu);
/// `add`.
pub(super) static ADD: Elementwise = Elementwise(Function::Add);

/// √(2/π), the slope of the tanh form at 0.
const SLOPE: f64 = 0.797_884_560_802_865_4;
/// Weight of the cube in the tanh form.
const CUBE: f64 = 0.044_715;

/// silu(g)·u and its error in f32: the exponential counts by its share in 1 + exp(−g), then an addition, a division and
/// a product.
fn silu_mul(g: f64, u: f64) -> (f64, f64) {
    let share = 1.0 / (1.0 + g.exp());
    let value = g * (1.0 - share) * u;
    (value, U32 * (share * exponential(g) + 1.0 + DIVISION + 2.0) * value.abs())
}

/// GELU and its error in f32, by either of two ways: x / (1 + exp(−2z)), whose error is relative, or x/2·(1 + tanh z),
/// which for negative x subtracts two numbers of the size of x/2.
fn gelu(x: f64) -> (f64, f64) {
    let z = SLOPE * (x + CUBE * x * x * x);
    let value = 0.5 * x * (1.0 + z.tanh());
    let share = 1.0 / (1.0 + (2.0 * z).exp());
    // The argument is made of five roundings and two rounded constants.
    let relative = share * (exponential(2.0 * z) + 14.0 * z.abs()) + 1.0 + DIVISION;
    (value, U32 * (relative * value.abs() + 4.0 * x.abs()))
}

impl Elementwise {
    fn operands(&self) -> &'static [&'static str] {
        match self.0 {
            Function::SiluMul => &["gate", "up"],
            Function::Gelu => &["x"],
            Function::Add => &["a", "b"],
        }
    }
    /// Value and bound of one output element.
    fn element(&self, instance: &Instance, index: u64) -> (f64, f64) {
        let operand = |tensor| self.inputs(instance, tensor).at(index);
        let (value, bound) = match self.0 {
            Function::SiluMul => silu_mul(operand(0), operand(1)),
            Function::Gelu => gelu(operand(0)),
            Function::Add => {
                let sum = operand(0) + operand(1);
                (sum, 2.0 * U32 * sum.abs())
            }
        };
        (value, stored(instance.element.scalar(), value, bound))
    }
}

impl Problem for Elementwise {
    fn id(&self) -> &'static str {
        match self.0 {
            Function::SiluMul => "silu-mul",
            Function::Gelu => "gelu",
            Function::Add => "add",
        }
    }
    fn summary(&self) -> &'static str {
        match self.0 {
            Function::SiluMul => "Gate of a feed-forward layer: SiLU of one array times another",
            Function::Gelu => "Gaussian error linear unit, tanh form",
            Function::Add => "Sum of two arrays, as of a residual connection",
        }
    }
    fn formula(&self) -> &'static str {
        match self.0 {
            Function::SiluMul => "y[i] = g[i] / (1 + exp(−g[i]))·u[i]; FLOP = 5·n; bytes = 3·e·n",
            Function::Gelu => "y[i] = x[i]/2·(1 + tanh(√(2/π)·(x[i] + 0.044715·x[i]³))); FLOP = 8·n; bytes = 2·e·n",
            Function::Add => "c[i] = a[i] + b[i]; FLOP = n; bytes = 3·e·n",
        }
    }
    fn axes(&self) -> &'static [Axis] {
        &[Axis { name: "n", meaning: "elements of an array" }]
    }
    fn counted(&self) -> Counted {
        Counted::Bytes
    }
    fn supports(&self, element: ElementType) -> bool {
        matches!(element, ElementType::F32 | ElementType::F16)
    }
    /// Arrays of 512 MiB of f32 on hardware, beyond every cache.
    fn default_shape(&self, class: DeviceClass) -> Shape {
        match class {
            DeviceClass::Hardware => Shape::new([("n", 1 << 27)]),
            DeviceClass::Software => Shape::new([("n", 1 << 21)]),
        }
    }
    /// FLOP by custom, an exponential or hyperbolic tangent counting one.
    fn work(&self, shape: &Shape, element: ElementType) -> Work {
        let [n] = extents(shape, ["n"]);
        let flop = match self.0 {
            Function::SiluMul => 5.0,
            Function::Gelu => 8.0,
            Function::Add => 1.0,
        };
        work(flop * n, element.bytes() * (self.operands().len() + 1) as f64 * n)
    }
    fn tensors(&self, shape: &Shape, element: ElementType) -> Vec<Tensor> {
        let (n, scalar) = ([shape.get("n")], element.scalar());
        let result = if self.0 == Function::Add { "c" } else { "y" };
        let operands = self.operands().iter().map(|name| input(name, scalar, &n));
        operands.chain([output(result, scalar, &n)]).collect()
    }
    fn row_length(&self, shape: &Shape, _tensor: usize) -> u64 {
        shape.get("n")
    }
    fn output(&self, instance: &Instance, tensor: usize, index: u64) -> f64 {
        if tensor != self.operands().len() || index >= instance.shape.get("n") {
            return f64::NAN;
        }
        self.element(instance, index).0
    }
    fn reference(&self, instance: &Instance, samples: u32, pick: u64) -> Vec<Expected> {
        let chosen = samples::axis(instance.shape.get("n"), samples as usize, &mut Picks::new(pick));
        let expected = chosen.into_iter().map(|index| {
            let (value, bound) = self.element(instance, index);
            Expected { tensor: self.operands().len(), index, value, bound }
        });
        expected.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_has_its_published_values_and_the_shape_of_its_tails() {
        // 0.5·(1 + tanh(0.797884…·1.044715)) = 0.841192, a well-known value of the tanh form.
        assert!((gelu(1.0).0 - 0.841_191_990_6).abs() < 1e-9, "{}", gelu(1.0).0);
        assert_eq!(gelu(0.0).0, 0.0);
        assert!((gelu(6.0).0 - 6.0).abs() < 1e-6 && gelu(-6.0).0.abs() < 1e-6);
        // gelu(x) + gelu(−x) = x·tanh(z).
        let z = SLOPE * (1.0 + CUBE);
        assert!((gelu(1.0).0 + gelu(-1.0).0 - z.tanh()).abs() < 1e-12);
    }

    #[test]
    fn silu_is_odd_about_half_its_argument() {
        for g in [0.1, 1.0, 5.0] {
            assert!((silu_mul(g, 1.0).0 - silu_mul(-g, 1.0).0 - g).abs() < 1e-12, "silu(g) − silu(−g) = g");
        }
        assert_eq!(silu_mul(2.0, 3.0).0, 3.0 * silu_mul(2.0, 1.0).0);
    }
}
