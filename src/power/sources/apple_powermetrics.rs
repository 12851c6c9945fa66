//! Apple processors: what the system's own program `powermetrics` says of CPU, GPU and neural engine.
//!
//! Needs no private framework, but the super-user: the program runs for as long as the source lives, and prints one sample
//! after the other. **Never tried on a Mac**: built from the program's manual and printed samples of it. What surprises
//! people: the manual calls the watts estimated, and says that they must not be used to compare devices; so they are
//! estimates here too, never measurements. Memory, screen and power supply are not in them.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Nanoseconds;
use crate::model::{Channel, DeviceKind, Evidence, Quantity, Scope, SourceInfo};
use crate::power::{Findings, Obstacle, PollError, PowerSource, Probe, ProbeContext};
use crate::units::{Seconds, Watts};

/// The probe.
pub const PROBE: Probe = Probe {
    kind: "apple",
    summary: "estimated power of Apple processors (macOS powermetrics, super-user only; untested)",
    automatic: true,
    open,
};

/// Where the program is, below the root.
const PROGRAM: &str = "usr/bin/powermetrics";
/// Time between two samples that is asked for, and over which each is averaged.
const INTERVAL: Seconds = Seconds::new(0.1);
/// Longest wait for the first sample.
const PATIENCE: Duration = Duration::from_secs(3);
/// Age at which a sample is no longer news, in intervals.
const STALE_INTERVALS: f64 = 5.0;
const REMEDY: &str = "run wattmark with sudo: powermetrics answers the super-user only";

/// Watts of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sample {
    gpu_w: Option<f64>,
    combined_w: Option<f64>,
}

/// What the reading thread has heard.
#[derive(Debug, Default)]
struct Heard {
    /// The last whole sample and when it ended.
    last: Option<(Sample, Instant)>,
    /// Why there will be no more.
    ended: Option<String>,
}

/// Reads one line into a sample; true where the line ends it. The combined power is the last line of its block.
fn read_line(line: &str, sample: &mut Sample) -> bool {
    let Some((name, value)) = line.trim().split_once(':') else { return false };
    let mut words = value.split_whitespace();
    let number = words.next().and_then(|word| word.parse::<f64>().ok()).filter(|number| number.is_finite());
    let watts = number.zip(words.next()).and_then(|(number, unit)| match unit {
        "mW" => Some(Watts::from_milliwatts(number).get()),
        "W" => Some(number),
        _ => None,
    });
    match name {
        "GPU Power" => sample.gpu_w = watts,
        _ if name.starts_with("Combined Power") => {
            // Nothing that runs draws 0 W.
            sample.combined_w = watts.filter(|watts| *watts > 0.0);
            return true;
        }
        _ => {}
    }
    false
}

fn open(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    let program = context.root.join(PROGRAM);
    if !program.exists() {
        return findings;
    }
    let mut integrated = context.devices.iter().filter(|device| device.kind == DeviceKind::Integrated);
    let gpu = integrated.next().filter(|_| integrated.next().is_none()).map(|device| device.ordinal);
    match start(&program) {
        Ok(running) => {
            let running = Arc::new(running);
            findings.sources.push(Box::new(Apple::soc(Arc::clone(&running))));
            findings.sources.extend(gpu.map(|gpu| -> Box<dyn PowerSource> { Box::new(Apple::gpu(running, gpu)) }));
        }
        Err(why) => {
            findings.obstacles.push(Obstacle { what: program.display().to_string(), why, remedy: REMEDY.to_owned() })
        }
    }
    findings
}

/// The program while it runs; it is ended with its last source.
struct Running {
    child: Mutex<Child>,
    heard: Arc<Mutex<Heard>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself; there is nobody left to tell.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Starts the program and waits for its first sample.
fn start(program: &Path) -> Result<Running, String> {
    let interval = (INTERVAL.get() * 1e3).round().to_string();
    let mut child = Command::new(program)
        .args([
            "--samplers",
            "cpu_power,gpu_power",
            "--sample-rate",
            &interval,
            "--format",
            "text",
            "--buffer-size",
            "1",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it does not start: {error}"))?;
    let heard = Arc::new(Mutex::new(Heard::default()));
    let (output, complaint, hearing) = (child.stdout.take(), child.stderr.take(), Arc::clone(&heard));
    let listen = move || {
        let mut sample = Sample::default();
        for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok) {
            if read_line(&line, &mut sample) {
                let whole = (std::mem::take(&mut sample), Instant::now());
                hearing.lock().unwrap_or_else(PoisonError::into_inner).last = Some(whole);
            }
        }
        let mut said = String::new();
        // What cannot be read says nothing.
        let _ = complaint.map(|complaint| complaint.take(1000).read_to_string(&mut said));
        let said =
            said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing more").trim().to_owned();
        hearing.lock().unwrap_or_else(PoisonError::into_inner).ended = Some(format!("the program ended: {said}"));
    };
    let running = Running { child: Mutex::new(child), heard };
    std::thread::Builder::new()
        .name("wattmark-powermetrics".to_owned())
        .spawn(listen)
        .map_err(|error| format!("its output cannot be read: {error}"))?;
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        let heard = running.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match (&heard.last, &heard.ended) {
            (Some(_), _) => {
                drop(heard);
                return Ok(running);
            }
            (None, Some(why)) => return Err(why.clone()),
            (None, None) => drop(heard),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(format!("no sample within {} s", PATIENCE.as_secs()))
}

struct Apple {
    info: SourceInfo,
    running: Arc<Running>,
    pick: fn(&Sample) -> Option<f64>,
}

impl Apple {
    fn soc(running: Arc<Running>) -> Self {
        let info = info("soc", None, Scope::Package, "CPU, GPU and neural engine together, without memory");
        Self { info, running, pick: |sample| sample.combined_w }
    }

    fn gpu(running: Arc<Running>, device: u32) -> Self {
        let info = info("gpu", Some(device), Scope::Chip, "GPU alone, without memory");
        Self { info, running, pick: |sample| sample.gpu_w }
    }
}

fn info(name: &str, device: Option<u32>, scope: Scope, what: &str) -> SourceInfo {
    SourceInfo {
        id: format!("{}:{name}", PROBE.kind),
        kind: PROBE.kind.to_owned(),
        device,
        evidence: Evidence::Estimated,
        note: format!(
            "{what}; the manual of powermetrics calls its watts estimated and not fit to compare devices; untested source"
        ),
        channels: vec![Channel {
            update_period_s: Some(INTERVAL),
            averaging_window_s: Some(INTERVAL),
            ..Channel::new("power.average", Quantity::AveragedPower, scope)
        }],
    }
}

impl PowerSource for Apple {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn useful_hz(&self) -> Option<f64> {
        Some(1.0 / INTERVAL.get())
    }

    fn poll(&mut self, _now: Nanoseconds, values: &mut [Option<f64>]) -> Result<(), PollError> {
        let heard = self.running.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &heard.ended {
            return Err(PollError::Gone(format!("{}: {why}", self.info.id)));
        }
        let fresh = heard.last.filter(|(_, at)| at.elapsed().as_secs_f64() <= STALE_INTERVALS * INTERVAL.get());
        let Some((sample, _)) = fresh else {
            return Err(PollError::Transient(format!(
                "{}: powermetrics has not said anything for a while",
                self.info.id
            )));
        };
        if let Some(slot) = values.first_mut() {
            *slot = (self.pick)(&sample);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_of(text: &str) -> Option<Sample> {
        let mut sample = Sample::default();
        let mut whole = None;
        for line in text.lines() {
            if read_line(line, &mut sample) {
                whole = Some(std::mem::take(&mut sample));
            }
        }
        whole
    }

    #[test]
    fn a_printed_sample_is_read_by_its_names_and_units() {
        let text = "*** Sampled system activity (Sun Nov 22 12:00:00 2026 +0800) (100.12ms elapsed) ***\n\n\
                    **** Processor usage ****\n\nE-Cluster HW active frequency: 1049 MHz\nCPU Power: 823 mW\n\
                    GPU Power: 26 mW\nANE Power: 323 mW\nCombined Power (CPU + GPU + ANE): 1172 mW\n";
        assert_eq!(last_of(text), Some(Sample { gpu_w: Some(0.026), combined_w: Some(1.172) }));
        let watts = "GPU Power: 4.5 W\nCombined Power (CPU + GPU + ANE): 12 W\n";
        assert_eq!(last_of(watts), Some(Sample { gpu_w: Some(4.5), combined_w: Some(12.0) }));
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_missing_and_not_zero() {
        assert_eq!(last_of("GPU Power: 26 mW\nCombined Pow"), None, "half a sample");
        let odd = "GPU Power: 26 bananas\nCombined Power (CPU + GPU + ANE): 0 mW\n";
        assert_eq!(last_of(odd), Some(Sample { gpu_w: None, combined_w: None }));
    }
}
