//! `--shaders DIR`: kernels of the user's own beside the shipped ones.
//!
//! What surprises people: a broken one is told and left out; the command goes on with the others.

use std::path::PathBuf;

use crate::cli::{Console, Failure};
use crate::kernel;

/// Where further kernels lie.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ShaderArgs {
    /// Folder of further kernels, DIR/PROBLEM/NAME.wgsl and .toml; they run without bounds checks. May be repeated.
    #[arg(long, value_name = "DIR")]
    pub shaders: Vec<PathBuf>,
}

impl ShaderArgs {
    /// Adds them to the catalogue. Must come before the catalogue is first used.
    pub fn load(&self, console: &Console) -> anyhow::Result<()> {
        for folder in &self.shaders {
            kernel::add_folder(folder).map_err(|error| Failure::usage(error.to_string()))?;
        }
        for shader in kernel::user_shaders() {
            if let Some(message) = &shader.broken {
                console.note(&format!("warning: kernel {} cannot be used: {message}", shader.variant));
            }
        }
        Ok(())
    }
}
