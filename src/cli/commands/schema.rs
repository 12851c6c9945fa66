//! `wattmark schema`: the JSON Schema of a record, as published in `results/schema/`.

use crate::cli::{Console, Exit};
use crate::store::RUN_SCHEMA_V1;

/// Arguments of `wattmark schema`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    console.out.write_all(RUN_SCHEMA_V1.as_bytes())?;
    Ok(Exit::Ok)
}
