//! Charts of accounts, as flags: where they go and how wide they are.

use std::path::PathBuf;

use crate::cli::Console;
use crate::cli::commands::plot::{Width, write_figures};
use crate::figure::Figure;

/// Whether and where charts are drawn.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ChartArgs {
    /// Draw the charts of this account into a folder: SVG, CSV of the numbers, caption.
    #[arg(long, value_name = "DIR")]
    pub plot: Option<PathBuf>,
    /// Width of the charts: single (89 mm), double (183 mm), or a number of millimetres.
    #[arg(long, value_name = "WIDTH")]
    pub width: Option<Width>,
}

impl ChartArgs {
    /// Draws the figures if a folder was named, and notes their paths on standard error, so that the result stays JSON or a
    /// table alone.
    pub fn draw(&self, mut figures: Vec<Figure>, console: &Console) -> anyhow::Result<()> {
        let Some(folder) = &self.plot else { return Ok(()) };
        if let Some(Width(millimetres)) = self.width {
            figures.iter_mut().for_each(|figure| figure.width_mm = millimetres);
        }
        for path in write_figures(&figures, folder)? {
            console.note(&path.display().to_string());
        }
        Ok(())
    }
}
