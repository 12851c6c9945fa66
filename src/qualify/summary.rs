//! A qualification in a word and in a line.

use super::catalogue::{self, CheckInfo};
use crate::model::{CheckOutcome, Grade, QualifiedDevice};

/// Codes whose failure means that outputs are wrong.
const OUTPUTS: [&str; 4] = ["Q02", "Q03", "Q04", "Q05"];

/// The gravest grade of the devices; INCONCLUSIVE without any.
pub fn overall(devices: &[QualifiedDevice]) -> Grade {
    devices.iter().map(|device| device.grade).max().unwrap_or(Grade::Inconclusive)
}

/// The check that decides a device's grade; `None` if all passed.
pub fn gravest(device: &QualifiedDevice) -> Option<&CheckOutcome> {
    let worst = device.checks.iter().map(|check| check.grade).max().filter(|grade| *grade > Grade::Pass)?;
    device.checks.iter().find(|check| check.grade == worst)
}

/// True if a device's outputs were found wrong.
pub fn wrong_outputs(devices: &[QualifiedDevice]) -> bool {
    let wrong = |check: &CheckOutcome| check.grade == Grade::Fail && OUTPUTS.contains(&check.code.as_str());
    devices.iter().any(|device| device.checks.iter().any(wrong))
}

/// Checks that had nothing to look at on a device: neither passed nor failed.
pub fn not_judged(device: &QualifiedDevice) -> Vec<&'static CheckInfo> {
    catalogue::all().filter(|info| !device.checks.iter().any(|check| check.code == info.code)).collect()
}

/// One device in a line: `GPU 2 Accelerator X: FAIL, Q10 mean rate, arithmetic: …`.
pub fn sentence(device: &QualifiedDevice) -> String {
    let name = format!("device {} ({})", device.device.ordinal, device.device.name);
    let more = |grade: Grade| match device.checks.iter().filter(|check| check.grade == grade).count() {
        0 | 1 => String::new(),
        n => format!(" ({} more of this grade)", n - 1),
    };
    match gravest(device) {
        None => format!("{name}: {}", device.grade),
        Some(check) => {
            let CheckOutcome { code, title, detail, grade, .. } = check;
            format!("{name}: {grade}, {code} {title}: {detail}{}", more(*grade))
        }
    }
}

/// All devices in a line: `FAIL: 1 of 8 devices FAIL, 7 PASS`.
pub fn summary(devices: &[QualifiedDevice]) -> String {
    if devices.is_empty() {
        return format!("{}: no device was measured", Grade::Inconclusive);
    }
    let counts: Vec<String> = [Grade::Fail, Grade::Inconclusive, Grade::Warn, Grade::Pass]
        .into_iter()
        .filter_map(|grade| {
            let n = devices.iter().filter(|device| device.grade == grade).count();
            (n > 0).then(|| format!("{n} {grade}"))
        })
        .collect();
    let all = super::words::count(devices.len(), "device");
    format!("{}: {} of {all}", overall(devices), counts.join(", "))
}
