//! Variants: how a problem is computed. A variant is a pair `shaders/<problem>/<name>.wgsl` and `.toml`, embedded by
//! `build.rs`; adding one touches no Rust file.
//!
//! A variant is rendered for one shape, one set of parameters and one device: the WGSL is a template, so loops are
//! unrolled by text and guards appear only where the shape is ragged. What surprises people: a broken pair does not
//! stop the others; it stands in [`broken`] with its message.

mod error;
mod expression;
mod manifest;
mod user;
mod variant;

use std::sync::OnceLock;

use crate::model::UserShader;
use crate::names;

pub use error::KernelError;
pub use manifest::{ByDevice, Parameter, Scrutiny};
pub use user::add_folder;
pub use variant::{Rendered, RenderedStage, Scratch, Variant};

/// One embedded pair of files.
struct Pair {
    problem: &'static str,
    name: &'static str,
    wgsl: &'static str,
    manifest: &'static str,
}

static PAIRS: &[Pair] = include!(concat!(env!("OUT_DIR"), "/shaders.rs"));

/// Parts of `shaders/parts/`, by file name: what several variants include.
static PARTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/parts.rs"));

/// A pair that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Identifier, for example `gemm/tiled-f32`.
    pub id: String,
    /// What is wrong with it.
    pub message: String,
}

/// What there is to run.
struct Catalogue {
    variants: Vec<Variant>,
    broken: Vec<Broken>,
    user: Vec<UserShader>,
}

fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let (mut variants, mut broken) = (Vec::new(), Vec::new());
        for pair in PAIRS {
            match Variant::parse(pair.problem, pair.name, pair.wgsl, pair.manifest) {
                Ok(variant) => variants.push(variant),
                Err(error) => {
                    broken.push(Broken { id: format!("{}/{}", pair.problem, pair.name), message: error.to_string() });
                }
            }
        }
        let user = user::join(user::take(), &mut variants, &mut broken);
        Catalogue { variants, broken, user }
    })
}

/// All usable variants in order of identifier.
pub fn variants() -> &'static [Variant] {
    &catalogue().variants
}

/// Pairs whose manifest or template does not parse.
pub fn broken() -> &'static [Broken] {
    &catalogue().broken
}

/// The user's own variants, usable or not.
pub fn user_shaders() -> &'static [UserShader] {
    &catalogue().user
}

/// Variant of an identifier such as `gemm/tiled-f32`.
pub fn find(id: &str) -> Result<&'static Variant, KernelError> {
    if let Some(variant) = variants().iter().find(|variant| variant.id == id) {
        return Ok(variant);
    }
    if let Some(broken) = broken().iter().find(|broken| broken.id == id) {
        return Err(KernelError::Broken { id: broken.id.clone(), message: broken.message.clone() });
    }
    Err(unknown(id))
}

/// Variants that a pattern names: an identifier, a problem (`gemm`), or a glob (`gemm/*`, `*-f16`, `*`).
pub fn matching(pattern: &str) -> Result<Vec<&'static Variant>, KernelError> {
    let hits = |id: &str| names::matches(pattern, id) || id.split('/').next() == Some(pattern);
    let found: Vec<&Variant> = variants().iter().filter(|variant| hits(&variant.id)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    match broken().iter().find(|broken| hits(&broken.id)) {
        Some(broken) => Err(KernelError::Broken { id: broken.id.clone(), message: broken.message.clone() }),
        None => Err(unknown(pattern)),
    }
}

fn unknown(pattern: &str) -> KernelError {
    let mut names: Vec<&str> = variants().iter().flat_map(|variant| [&*variant.problem, &*variant.id]).collect();
    names.dedup();
    KernelError::Unknown { pattern: pattern.to_owned(), suggestion: names::closest(pattern, names).map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_pair_parses() {
        assert_eq!(broken(), []);
        assert_eq!(variants().len(), PAIRS.len());
    }

    #[test]
    fn a_pattern_may_be_a_problem_a_glob_or_an_identifier() {
        let ids = |pattern| matching(pattern).unwrap().iter().map(|variant| &*variant.id).collect::<Vec<_>>();
        assert_eq!(ids("*").len(), variants().len());
        assert_eq!(ids("gemm"), ids("gemm/*"));
        assert!(ids("gemm").len() >= 3);
        assert_eq!(ids("gemm/tiled-f32"), ["gemm/tiled-f32"]);
        assert!(ids("*-f16").iter().all(|id| id.ends_with("-f16")));
        assert!(!ids("memory-*").is_empty());
    }

    #[test]
    fn an_unknown_pattern_names_the_nearest_variant_and_where_to_look() {
        let message = matching("gemm/tilde-f32").unwrap_err().to_string();
        assert!(message.contains("did you mean `gemm/tiled-f32`?"), "{message}");
        assert!(message.contains("wattmark list"), "{message}");
        assert!(find("softmx").unwrap_err().to_string().contains("did you mean `softmax`?"));
        assert!(!find("zzzzzzzzzzzz").unwrap_err().to_string().contains("did you mean"));
    }
}
