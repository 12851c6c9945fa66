//! Whether two figures come of the same work: only like is held against like.
//!
//! What surprises people: another variant, other tuning parameters or an edited shader are other work here, although the
//! problem is the same; a rate is a property of a device with a kernel.

use std::collections::BTreeMap;

use crate::model::{Case, Metric, Phase, PhaseWork};

/// What must agree for rates to be comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkKey {
    /// Variant.
    pub kernel: String,
    /// Extents in a line.
    pub shape: String,
    /// Element type.
    pub element: String,
    /// Data pattern.
    pub pattern: String,
    /// Tuning parameters.
    pub params: BTreeMap<String, u64>,
    /// Digest of shader and manifest.
    pub shader_sha256: String,
}

impl WorkKey {
    /// Of a case.
    pub fn of(case: &Case) -> Self {
        Self {
            kernel: case.variant.clone(),
            shape: case.shape.to_string(),
            element: case.element.name().to_owned(),
            pattern: case.pattern.name().to_owned(),
            params: case.params.clone(),
            shader_sha256: case.shader_sha256.clone(),
        }
    }

    /// What differs from another, in words: `kernel gemm/a here, gemm/b there`; `None` if nothing does.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let params = |key: &Self| {
            let all: Vec<String> = key.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            if all.is_empty() { "none".to_owned() } else { all.join(" ") }
        };
        let pairs = [
            ("kernel", self.kernel.clone(), other.kernel.clone()),
            ("shape", self.shape.clone(), other.shape.clone()),
            ("precision", self.element.clone(), other.element.clone()),
            ("data", self.pattern.clone(), other.pattern.clone()),
            ("parameters", params(self), params(other)),
        ];
        let differing = pairs.into_iter().find(|(_, own, theirs)| own != theirs);
        match differing {
            Some((what, own, theirs)) => Some(format!("{what} {own} here, {theirs} there")),
            None if self.shader_sha256 != other.shader_sha256 => {
                Some(format!("the shader of {} was edited in between", self.kernel))
            }
            None => None,
        }
    }
}

/// Work by name of phase.
pub type Works = BTreeMap<String, WorkKey>;

/// Work of a device by name of phase.
pub fn works(work: &[PhaseWork]) -> Works {
    work.iter().map(|work| (work.phase.name().to_owned(), WorkKey::of(&work.case))).collect()
}

/// Why a figure of two devices does not come of the same work; `None` if it does. A figure of the whole device needs the same
/// work in every phase; a figure of a case of an ordinary run names its work itself.
pub fn unlike_work(own: &Works, other: &Works, id: &str) -> Option<String> {
    let of = |phase: &str| match (own.get(phase), other.get(phase)) {
        (Some(own), Some(other)) => {
            own.difference(other).map(|text| format!("other work in the {phase} phase: {text}"))
        }
        (None, None) => None,
        (None, _) => Some(format!("no {phase} phase here")),
        (_, None) => Some(format!("no {phase} phase there")),
    };
    match super::measures::prefix(id) {
        Some(prefix) if Phase::ALL.iter().any(|phase| phase.name() == prefix) => of(prefix),
        Some(_) => None,
        None => Phase::ALL.iter().find_map(|phase| of(phase.name())),
    }
}

/// Why two values of one figure do not count the same thing; `None` if they do.
pub fn unlike_figures(own: &Metric, unit: &str, scope: Option<&str>, evidence: Option<&str>) -> Option<String> {
    if own.unit != unit {
        return Some(format!("in {} here, in {unit} there", own.unit));
    }
    let own_scope = own.scope.map(|scope| scope.to_string());
    if let (Some(here), Some(there)) = (own_scope.as_deref(), scope)
        && here != there
    {
        return Some(format!("energy of another scope: {here} here, {there} there"));
    }
    let own_evidence = own.evidence.map(|evidence| evidence.to_string());
    match (own_evidence.as_deref(), evidence) {
        (Some(here), Some(there)) if here != there => Some(format!("energy is {here} here, {there} there")),
        _ => None,
    }
}
