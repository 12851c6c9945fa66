//! What a qualification leaves for its user: the table or JSON, the reports that were asked for, the exit code.

use std::path::{Path, PathBuf};

use super::Args;
use super::ledger::Ledger;
use crate::cli::{Console, Exit, Failure, layout, text};
use crate::model::{Grade, Qualification};
use crate::store::{self, QualificationFolder};
use crate::{qualify, report};

/// Files that were asked for, with the names of their flags.
fn targets(args: &Args) -> Vec<(&'static str, &PathBuf)> {
    let all = [("--junit", &args.junit), ("--markdown", &args.markdown), ("--openmetrics", &args.openmetrics)];
    all.into_iter().filter_map(|(flag, path)| path.as_ref().map(|path| (flag, path))).collect()
}

/// Refuses reports that could not be written after hours of load.
pub fn check_targets(args: &Args) -> anyhow::Result<()> {
    for (flag, path) in targets(args) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let why = if path.is_dir() {
            "it is a folder"
        } else if !folder.is_dir() {
            "its folder does not exist"
        } else {
            continue;
        };
        return Err(Failure::usage(format!("cannot write {flag} {}: {why}", path.display())).into());
    }
    Ok(())
}

/// Prints the verdict, writes the reports, and returns the exit code.
pub fn present(
    ledger: &Ledger,
    folder: Option<&QualificationFolder>,
    args: &Args,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let qualification = &ledger.qualification;
    if args.json {
        serde_json::to_writer_pretty(&mut console.out, qualification)?;
        writeln!(console.out)?;
    } else {
        show(qualification, console)?;
        if qualification.inject_error {
            write!(console.out, "\n{}", ledger.proof.table())?;
        }
        if let Some(folder) = folder {
            write!(console.out, "\n{}", text::entry("Folder", &folder.path().display().to_string()))?;
        }
    }
    console.out.flush()?;
    write_reports(qualification, args, console)?;
    Ok(exit_of(ledger, args.strict, console))
}

/// Prints a qualification as a table.
pub fn show(qualification: &Qualification, console: &mut Console) -> anyhow::Result<()> {
    let text = report::qualification_text(qualification, layout::width(console));
    Ok(console.out.write_all(text.as_bytes())?)
}

fn write_reports(qualification: &Qualification, args: &Args, console: &Console) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for (flag, path) in targets(args) {
        let text = match flag {
            "--junit" => report::junit(qualification),
            "--markdown" => report::qualification_markdown(qualification),
            _ => report::openmetrics(qualification),
        };
        match store::replace_file(path, |out| out.write_all(text.as_bytes())) {
            Ok(()) => console.note(&format!("wrote {}", path.display())),
            // One that cannot be written does not keep the others from it.
            Err(error) => failed.push(format!("{flag} {} ({error})", path.display())),
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => anyhow::bail!(
            "cannot write {}. The qualification is saved: `wattmark qualify --verdict` writes its reports again",
            failed.join(" and ")
        ),
    }
}

/// The exit code that the verdict earns, with a line where it is not PASS.
fn exit_of(ledger: &Ledger, strict: bool, console: &Console) -> Exit {
    let qualification = &ledger.qualification;
    if qualification.inject_error {
        let (made, caught) = ledger.proof.count();
        console.note(&format!("wattmark: {caught} of {made} injected errors were caught"));
        if caught < made {
            console
                .note("wattmark: ERROR: a wrong output was NOT noticed; the checks of that phase cannot be relied on");
        }
        return ledger.proof.exit();
    }
    for device in &qualification.devices {
        if device.grade != Grade::Pass {
            console.note(&format!("wattmark: {}", qualify::sentence(device)));
        }
    }
    exit_of_grade(qualification.grade, qualify::wrong_outputs(&qualification.devices), strict)
}

fn exit_of_grade(grade: Grade, wrong_outputs: bool, strict: bool) -> Exit {
    match grade {
        _ if wrong_outputs => Exit::VerificationFailed,
        Grade::Fail => Exit::Limit,
        Grade::Inconclusive => Exit::Quality,
        Grade::Warn if strict => Exit::Limit,
        Grade::Warn | Grade::Pass => Exit::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_wrong_outputs_from_missed_limits_and_from_missing_facts() {
        for (grade, wrong, strict, exit) in [
            (Grade::Pass, false, true, Exit::Ok),
            (Grade::Warn, false, false, Exit::Ok),
            (Grade::Warn, false, true, Exit::Limit),
            (Grade::Inconclusive, false, false, Exit::Quality),
            (Grade::Fail, false, false, Exit::Limit),
            (Grade::Fail, true, false, Exit::VerificationFailed),
        ] {
            assert_eq!(exit_of_grade(grade, wrong, strict), exit, "{grade} {wrong} {strict}");
        }
    }
}
