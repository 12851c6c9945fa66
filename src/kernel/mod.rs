//! Variants: how a problem is computed. A variant is a pair `shaders/<problem>/<name>.wgsl` and `.toml`, embedded by
//! `build.rs`; adding one touches no Rust file.
