//! OpenIPMI's `ipmi_sim` on loopback, for the tests that ask a real BMC simulator through the real `ipmitool`.
//!
//! What surprises people: `ipmi_sim` knows no DCMI. A module of ours, compiled here with `cc`, gives it the answer to Get
//! Power Reading byte by byte as DCMI 1.5 writes it; the power sensor is the simulator's own.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub const SECRET: &str = "s3cret-of-bmc";

/// The simulator's program; without it the caller says on standard error that nothing was tested.
pub fn simulator() -> Option<String> {
    let named = std::env::var("WATTMARK_IPMI_SIM").ok();
    if named.is_none() {
        eprintln!("not run: WATTMARK_IPMI_SIM is not set, so ipmi_sim was not asked (install openipmi and ipmitool)");
    }
    named
}

/// A BMC on loopback, with one user and one power sensor.
pub struct Bmc {
    pub folder: tempfile::TempDir,
    pub process: Child,
    pub port: u16,
}

impl Bmc {
    /// `dcmi` loads the module; `records` gives it a sensor record.
    pub fn start(dcmi: bool, records: bool) -> Option<Self> {
        let simulator = simulator()?;
        let folder = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let module =
            if dcmi { format!("loadlib \"{}\" \"{}\"\n", module(folder.path()), path("dcmi")) } else { String::new() };
        let lan = format!(
            "name \"bmc\"\nset_working_mc 0x20\nstartlan 1\n addr 127.0.0.1 {port}\n priv_limit admin\n \
             allowed_auths_admin md5\n guid a123456789abcdefa123456789abcdef\nendlan\n{module}user 2 true \"meter\" \"{SECRET}\" \
             admin 10\n"
        );
        let mut machine = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n".to_owned();
        if records {
            machine += &sensor(&path("sensor"));
        }
        machine += "mc_enable 0x20\n";
        for (name, text) in [("lan.conf", lan.as_str()), ("machine", &machine), ("dcmi", "214 64"), ("sensor", "212")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let process = Command::new(simulator)
            .args(["-n", "-c", &path("lan.conf"), "-f", &path("machine"), "-s", &path("state")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::fs::write(folder.path().join("login"), format!("meter\n{SECRET}\n")).unwrap();
        let bmc = Self { folder, process, port };
        bmc.await_answer();
        Some(bmc)
    }

    fn await_answer(&self) {
        let arguments = ["-I", "lanplus", "-H", "127.0.0.1", "-U", "meter", "-E", "-C", "3", "-N", "1", "-R", "1"];
        for _ in 0..20 {
            let mut command = Command::new("ipmitool");
            command.args(arguments).args(["-p", &self.port.to_string(), "mc", "info"]).env("IPMI_PASSWORD", SECRET);
            if command.output().unwrap().status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("ipmi_sim does not answer on port {}", self.port);
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What `--power` names after `ipmi:`.
    pub fn argument(&self, options: &str) -> String {
        format!("127.0.0.1,port={},cipher=3,credentials={}{options}", self.port, self.file("login").display())
    }
}

impl Drop for Bmc {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Compiles the module that answers DCMI.
fn module(folder: &Path) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/power/ipmi/dcmi.c");
    let module = folder.join("dcmi.so");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&module).arg(source).status().unwrap();
    assert!(compiled.success(), "cc could not compile the DCMI module");
    module.display().to_string()
}

/// Emulator commands for sensor 1, `Pwr Consumption`: a full sensor record (IPMI 2.0, table 43-1) with steps of 4 W.
fn sensor(file: &str) -> String {
    let mut record = vec![0, 0, 0x51, 0x01, 0x3a, 0x20, 0, 1, 0x13, 1, 0x67, 0x88, 0x0b, 1];
    record.extend([0; 6]); // no events, no thresholds
    record.extend([0, 0x06, 0, 0]); // unsigned, watts, linear
    record.extend([4, 0, 0, 0, 0, 0, 0x03, 0, 0, 0, 0xff, 0]); // 4 W a step, up to 255 steps
    record.extend([0; 11]);
    record.push(0xcf);
    record.extend(b"Pwr Consumption");
    let bytes: Vec<String> = record.iter().map(|byte| format!("{byte:#04x}")).collect();
    let none = "000000000000000";
    format!(
        "sensor_add 0x20 0 1 0x0b 0x01 poll 50 file \"{file}\" div=4\n\
         sensor_set_event_support 0x20 0 1 enable scanning per-state {none} {none} {none} {none}\n\
         main_sdr_add 0x20 {}\n",
        bytes.join(" ")
    )
}
