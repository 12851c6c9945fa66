//! What the documents promise, held against the program: commands, exit codes, and the files they show.
//!
//! What surprises people: an example in a document is test data here, so a change to it is a change to a test.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use wattmark::cli::config;
use wattmark::cli::{Cli, Exit};
use wattmark::model::GridFactor;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_default()
}

/// Every Markdown document of the repository, without those of the runs and the build.
fn documents() -> Vec<PathBuf> {
    let mut folders = vec![root().to_owned()];
    folders.extend(["docs", "docs/sources", "results", "results/reference"].map(|name| root().join(name)));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut found: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found.sort();
    found
}

/// Targets of Markdown links and pictures, `](target)`.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
}

/// Anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
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

#[test]
fn every_link_between_documents_leads_somewhere() {
    let documents = documents();
    assert!(documents.len() >= 10, "{documents:?}");
    let mut followed = 0;
    for path in &documents {
        let text = std::fs::read_to_string(path).unwrap();
        for target in links(&text).into_iter().filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let aim = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(aim.exists(), "{}: {target} does not exist", path.display());
            let reached =
                anchor.is_empty() || anchors(&std::fs::read_to_string(&aim).unwrap()).contains(&anchor.to_owned());
            assert!(reached, "{}: no heading for {target}", path.display());
            followed += 1;
        }
    }
    assert!(followed >= 10, "only {followed} links were found");
}

/// A command line of a document as words, without comments; what stands between single quotes is one word.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default();
    let mut words = vec![String::new()];
    for (index, part) in line.split('\'').enumerate() {
        let quoted = index % 2 == 1;
        let mut pieces = if quoted { vec![part] } else { part.split(' ').collect() }.into_iter();
        words.last_mut().unwrap().push_str(pieces.next().unwrap_or_default());
        words.extend(pieces.map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_line_in_the_documents_is_one_that_the_program_takes() {
    let mut tried = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        let shells = blocks(&text, "sh").join("\n");
        for line in shells.lines().filter(|line| line.starts_with("wattmark ")) {
            let parsed = Cli::command().try_get_matches_from(words(line));
            assert!(parsed.is_ok(), "{}: {line}: {}", path.display(), parsed.unwrap_err());
            tried += 1;
        }
    }
    assert!(tried >= 4, "only {tried} command lines were found");
}

#[test]
fn every_flag_that_the_documents_name_is_a_flag_of_some_command() {
    let cli = Cli::command();
    let known: Vec<String> = cli
        .get_subcommands()
        .flat_map(|command| command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned))
        .collect();
    for name in ["README.md", "docs/method.md", "docs/choosing-a-grid.md", "results/README.md"] {
        let text = document(name);
        for code in text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("--")) {
            let flag = code[2..].split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default();
            assert!(known.iter().any(|long| long == flag), "{name} names --{flag}, which no command has");
        }
    }
}
