//! Running a program for one reading: bounded in time, its words kept for error messages.
//!
//! No sensor is known here. What surprises people: a program that is still running when its time is up is killed, and its
//! output is then not read at all, because a grandchild may hold the pipe open for ever.

use std::io::{ErrorKind, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::units::Seconds;

/// Time between two looks at a program that is still running.
const LOOK: Duration = Duration::from_millis(2);

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) errors: String,
    /// True if it ended with code 0.
    pub(crate) success: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Silence {
    /// There is no such program.
    Missing,
    /// It was killed when its time was up.
    TimedOut,
    /// The system would not run it.
    Failed(String),
}

/// Runs a program to its end, but for no longer than `limit`.
pub(crate) fn run(command: &mut Command, limit: Seconds) -> Result<Answer, Silence> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Silence::Missing,
        _ => Silence::Failed(error.to_string()),
    })?;
    let deadline = Instant::now() + Duration::from_secs_f64(limit.get());
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                return Ok(Answer {
                    out: drain(child.stdout.as_mut()),
                    errors: drain(child.stderr.as_mut()),
                    success: status.success(),
                });
            }
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
            Ok(None) => {
                end(&mut child);
                return Err(Silence::TimedOut);
            }
            Err(error) => {
                end(&mut child);
                return Err(Silence::Failed(error.to_string()));
            }
        }
    }
}

fn end(child: &mut Child) {
    // It may have ended in this very moment; then there is nothing to kill.
    let _ = child.kill();
    let _ = child.wait();
}

fn drain(pipe: Option<&mut impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before an error still helps to explain it.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: f64) -> Result<Answer, Silence> {
        run(Command::new("sh").args(["-c", script]), Seconds::new(limit))
    }

    #[test]
    fn both_outputs_and_the_exit_code_are_kept() {
        let answer = shell("echo watts; echo oops >&2; exit 3", 5.0).unwrap();
        assert_eq!((answer.out.as_str(), answer.errors.as_str(), answer.success), ("watts\n", "oops\n", false));
    }

    #[test]
    fn a_program_that_hangs_is_killed_when_its_time_is_up() {
        let start = Instant::now();
        assert_eq!(shell("exec sleep 60", 0.1), Err(Silence::TimedOut));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_does_not_exist_is_missing() {
        assert_eq!(run(&mut Command::new("/nowhere/ipmitool"), Seconds::new(1.0)), Err(Silence::Missing));
    }
}
