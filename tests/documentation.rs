//! What the documents promise, held against the program: commands, exit codes, and the files they show.
//!
//! What surprises people: an example in a document is test data here, so a change to it is a change to a test.

use std::path::Path;

use clap::CommandFactory;
use wattmark::cli::config;
use wattmark::cli::{Cli, Exit};
use wattmark::model::GridFactor;

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_default()
}

/// Fenced blocks of a language in a document.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

#[test]
fn the_readme_names_every_command_and_no_other() {
    let readme = document("README.md");
    let cli = Cli::command();
    let commands: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
    for name in &commands {
        assert!(readme.contains(&format!("`wattmark {name}")), "README.md does not name `wattmark {name}`");
    }
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `wattmark "));
    for row in rows {
        let name = row.split([' ', '`']).next().unwrap_or_default();
        assert!(commands.contains(&name), "README.md names `wattmark {name}`, which does not exist");
    }
}

#[test]
fn the_readme_lists_every_exit_code() {
    let readme = document("README.md");
    let codes = [
        Exit::Ok,
        Exit::Unexpected,
        Exit::Usage,
        Exit::NoDevice,
        Exit::VerificationFailed,
        Exit::Quality,
        Exit::Limit,
        Exit::Record,
        Exit::Interrupted,
    ];
    for exit in codes {
        assert!(readme.contains(&format!("\n| {} | ", exit as u8)), "README.md does not list exit code {}", exit as u8);
    }
}

#[test]
fn the_configuration_in_the_readme_is_read_as_shown() {
    let shown = blocks(&document("README.md"), "toml");
    assert_eq!(shown.len(), 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wattmark.toml");
    std::fs::write(&file, &shown[0]).unwrap();
    let (_, config) = config::load(Some(&file)).unwrap().unwrap();
    assert_eq!((config.grid.as_deref(), config.pue), (Some("CN-QH"), Some(1.2)));
    assert_eq!(config.kernel.unwrap().len(), 2);
}

#[test]
fn the_factor_in_the_guide_is_a_factor() {
    let shown = blocks(&document("docs/choosing-a-grid.md"), "toml");
    let factor: GridFactor = toml::from_str(&shown[0]).unwrap();
    assert_eq!(factor.intensity_g_per_kwh.get(), 95.0);
}
