//! Arguments, configuration, progress and commands: the only room that prints.
//!
//! Commands write their result to [`Console::out`] (standard output) and everything else to standard error.

pub mod accounting;
pub mod bench;
pub mod charts;
pub mod commands;
pub mod config;
pub mod exit;
pub mod layout;
pub mod outcome;
pub mod profiles;
pub mod programs;
pub mod progress;
pub mod records;
pub mod request;
pub mod resolve;
pub mod sensors;
pub mod series;
pub mod shaders;
pub mod simulate;
pub mod subjects;
pub mod text;
pub mod tuning;
pub mod work;

use std::io::{IsTerminal, Write};

use clap::{CommandFactory, Parser, Subcommand};

pub use exit::{Exit, Failure};

/// FLOPS per watt, joules and gCO2e per job, from verified WGSL kernels and measured power.
#[derive(Debug, Parser)]
#[command(name = "wattmark", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run kernels, record power, account, chart.
    Run(Box<commands::run::Args>),
    /// Find the kernel variants and parameters that suit a device, and keep them for later runs.
    Tune(commands::tune::Args),
    /// Measure any program's power and energy with the same sampler, rules and record.
    Meter(Box<commands::meter::Args>),
    /// Measure what a device can do at most: arithmetic, memory, launches, transfers, and watts.
    Ceilings(commands::ceilings::Args),
    /// Load every device for a sustained time and judge each: PASS, WARN, INCONCLUSIVE or FAIL.
    Qualify(Box<commands::qualify::Args>),
    /// Show power, clocks, temperature and throttling of all sensors, live.
    Watch(commands::watch::Args),
    /// Find how power sensors answer, with square waves of load, and keep it for later runs.
    Calibrate(Box<commands::calibrate::Args>),
    /// List GPUs and the power source that belongs to each.
    Devices(commands::devices::Args),
    /// Check drivers, sensors and permissions, with a remedy for each finding.
    Doctor(commands::doctor::Args),
    /// List problems and kernel variants.
    List(commands::list::Args),
    /// Show a record as a table.
    Show(commands::show::Args),
    /// Find the devices that are off among the records of many nodes, and say why.
    Fleet(commands::fleet::Args),
    /// Compare two records case by case.
    Compare(commands::compare::Args),
    /// Carbon of a record at a site, over regions, at other hours, behind a micro-grid; no GPU needed.
    Carbon(Box<commands::carbon::Args>),
    /// What work costs: capital, energy, upkeep and carbon price, by device, with what matters most.
    Cost(Box<commands::cost::Args>),
    /// Check the sentences of a site or a vendor with arithmetic, measured joules and official factors.
    Claim(commands::claim::Args),
    /// Show grid emission factors with their full identity.
    Factors(commands::factors::Args),
    /// Draw the charts of a record.
    Plot(commands::plot::Args),
    /// Write a record as CSV, Markdown or JSON.
    Export(commands::export::Args),
    /// Check a record strictly.
    Validate(commands::validate::Args),
    /// Print the JSON Schema of a record or a qualification.
    Schema(commands::schema::Args),
    /// Print a completion script for a shell.
    #[command(hide = true)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(hide = true)]
    Man,
}

/// Where a command writes.
pub struct Console {
    /// Results.
    pub out: Box<dyn Write>,
    /// Whether results go to a terminal.
    pub out_is_terminal: bool,
    /// Whether standard error is a terminal (progress bars are drawn only then).
    pub err_is_terminal: bool,
}

impl Console {
    /// The process's own streams.
    pub fn standard() -> Self {
        Self {
            out: Box::new(std::io::BufWriter::new(StandardOutput)),
            out_is_terminal: std::io::stdout().is_terminal(),
            err_is_terminal: std::io::stderr().is_terminal(),
        }
    }
    /// Writes one line to standard error.
    pub fn note(&self, text: &str) {
        note(text);
    }
}

/// Standard output whose failures say that it was standard output, whenever the buffer before it happens to empty.
struct StandardOutput;

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::stdout().write(bytes).map_err(named)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush().map_err(named)
    }
}

fn named(error: std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("cannot write the result to standard output: {error}"))
}

/// Writes one line to standard error.
pub fn note(text: &str) {
    // Nothing sensible is left to do when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Parses the command line, runs the command, prints its error, and returns the exit code.
pub fn main() -> Exit {
    let cli = Cli::parse();
    let mut console = Console::standard();
    let outcome = dispatch(&cli.command, &mut console).and_then(|exit| {
        console.out.flush()?;
        Ok(exit)
    });
    match outcome {
        Ok(exit) => exit,
        Err(error) => {
            let exit = exit::code_of(&error);
            if exit != Exit::Ok {
                console.note(&format!("wattmark: {error:#}"));
            }
            exit
        }
    }
}

fn dispatch(command: &Command, console: &mut Console) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => commands::run::run(args, console),
        Command::Tune(args) => commands::tune::run(args, console),
        Command::Meter(args) => commands::meter::run(args, console),
        Command::Ceilings(args) => commands::ceilings::run(args, console),
        Command::Qualify(args) => commands::qualify::run(args, console),
        Command::Watch(args) => commands::watch::run(args, console),
        Command::Calibrate(args) => commands::calibrate::run(args, console),
        Command::Devices(args) => commands::devices::run(args, console),
        Command::Doctor(args) => commands::doctor::run(args, console),
        Command::List(args) => commands::list::run(args, console),
        Command::Show(args) => commands::show::run(args, console),
        Command::Fleet(args) => commands::fleet::run(args, console),
        Command::Compare(args) => commands::compare::run(args, console),
        Command::Carbon(args) => commands::carbon::run(args, console),
        Command::Cost(args) => commands::cost::run(args, console),
        Command::Claim(args) => commands::claim::run(args, console),
        Command::Factors(args) => commands::factors::run(args, console),
        Command::Plot(args) => commands::plot::run(args, console),
        Command::Export(args) => commands::export::run(args, console),
        Command::Validate(args) => commands::validate::run(args, console),
        Command::Schema(args) => commands::schema::run(args, console),
        Command::Completions { shell } => {
            // Into memory first: the generator panics where a pipe closes early.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "wattmark", &mut script);
            console.out.write_all(&script)?;
            Ok(Exit::Ok)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut console.out)?;
            Ok(Exit::Ok)
        }
    }
}
