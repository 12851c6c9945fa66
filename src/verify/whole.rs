//! The checks that look at every element of the outputs, in one pass over them: Freivalds' method for matrix products, and the
//! comparison with a trusted result where a variant demands it.
//!
//! What surprises people: what is expected is computed once for a case, and each look at the outputs only adds sums.

use super::freivalds::{Projection, Sums, TRIALS};
use super::twin::{Comparison, Twin};
use crate::model::{ComparisonCheck, ProductCheck};
use crate::workload::{Instance, Problem, Tensor};

/// What the whole outputs of a case must be.
#[derive(Debug, Clone, Default)]
pub struct WholeCheck {
    tensors: Vec<Tensor>,
    projection: Option<Projection>,
    twin: Option<Twin>,
}

/// A look at the outputs.
#[derive(Debug)]
pub struct Reading<'a> {
    check: &'a WholeCheck,
    sums: Option<Sums>,
    comparison: Comparison,
}

impl WholeCheck {
    /// The check of a problem's outputs; of columns as well as rows, and against a twin, where it is given.
    pub fn new(problem: &dyn Problem, instance: &Instance, seed: u64, twin: Option<Twin>, both: bool) -> Self {
        let tensors = problem.tensors(&instance.shape, instance.element);
        let projection = problem.product(instance).and_then(|product| {
            let name = tensors.get(product.tensor)?.name;
            Some(Projection::new(&product, name, TRIALS, seed, both))
        });
        Self { tensors, projection, twin }
    }

    /// True if nothing is checked.
    pub fn is_empty(&self) -> bool {
        self.projection.is_none() && self.twin.is_none()
    }

    /// A new look at the outputs.
    pub fn reading(&self) -> Reading<'_> {
        Reading { check: self, sums: self.projection.as_ref().map(Projection::sums), comparison: Comparison::default() }
    }

    /// A tensor whose every element is checked, and its length.
    pub fn covers(&self) -> Option<(usize, u64)> {
        let product = self.projection.as_ref().map(Projection::tensor);
        let compared = self.twin.as_ref().and_then(|twin| twin.outputs.iter().position(|bytes| !bytes.is_empty()));
        let tensor = product.or(compared)?;
        self.tensors.get(tensor).map(|spec| (tensor, spec.len))
    }

    /// A change of an element, in values of about `size`, that no check of whole outputs can miss.
    pub fn noticed(&self, tensor: usize, index: u64, size: f64) -> f64 {
        let projected = self.projection.as_ref().filter(|own| own.tensor() == tensor);
        let product = projected.map_or(f64::INFINITY, |own| 2.0 * own.row_bound(index, 2.0 * size));
        let compared =
            self.twin.as_ref().filter(|twin| twin.outputs.get(tensor).is_some_and(|bytes| !bytes.is_empty()));
        let limit = compared.and_then(|twin| twin.limits.get(tensor)).map_or(f64::INFINITY, |limit| 2.0 * limit);
        product.min(limit)
    }
}

impl Reading<'_> {
    /// Adds bytes from `offset` of a tensor on.
    pub fn add(&mut self, tensor: usize, offset: u64, bytes: &[u8]) {
        if let (Some(projection), Some(sums)) = (&self.check.projection, &mut self.sums)
            && projection.tensor() == tensor
        {
            projection.add(sums, offset, bytes);
        }
        if let Some(twin) = &self.check.twin {
            self.comparison.add(twin, &self.check.tensors, tensor, offset, bytes);
        }
    }

    /// The verdict over everything that was added.
    pub fn judge(&self) -> Result<(Option<ProductCheck>, Option<ComparisonCheck>), String> {
        let product = match (&self.check.projection, &self.sums) {
            (Some(projection), Some(sums)) => Some(projection.judge(sums).map_err(|error| error.to_string())?),
            _ => None,
        };
        let twin = self.check.twin.as_ref();
        let compared = twin.map(|twin| self.comparison.judge(twin, &self.check.tensors)).transpose()?;
        Ok((product, compared))
    }
}
