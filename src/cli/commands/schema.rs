//! `wattmark schema`: the JSON Schema of a record or a qualification, as published in `results/schema/`.

use crate::cli::{Console, Exit};
use crate::store::{QUALIFICATION_SCHEMA_V1, RUN_SCHEMA_V1};

/// What is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Described {
    /// A run's record: run.json, and the segments of a qualification.
    #[default]
    Run,
    /// What a qualification found: qualification.json.
    Qualification,
}

/// Arguments of `wattmark schema`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What is described.
    #[arg(value_enum, default_value_t, value_name = "WHAT")]
    pub what: Described,
}

/// Runs the command.
pub fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let text = match args.what {
        Described::Run => RUN_SCHEMA_V1,
        Described::Qualification => QUALIFICATION_SCHEMA_V1,
    };
    console.out.write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}
