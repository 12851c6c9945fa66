//! The machine, read from `/proc` and `/etc` below a root folder.
//!
//! What surprises people: in a container `/proc/meminfo` and `/proc/cpuinfo` describe the host; the number of CPUs is the
//! number this process may use.

use std::path::Path;

use crate::model::Host;

/// Bytes in the kibibyte that `/proc/meminfo` calls kB (proc(5)).
const MEMINFO_UNIT_BYTES: u64 = 1024;

/// The machine as seen below `root` (`/` for the real one).
pub fn host_below(root: &Path) -> Host {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let line = |path: &str| read(path).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let cpuinfo = read("proc/cpuinfo");
    Host {
        hostname: line("proc/sys/kernel/hostname")
            .or_else(|| line("etc/hostname"))
            .or_else(|| from_environment(root))
            .unwrap_or_else(|| "unknown".to_owned()),
        os: read("etc/os-release")
            .or_else(|| read("usr/lib/os-release"))
            .and_then(|text| os_name(&text))
            .unwrap_or_else(|| std::env::consts::OS.to_owned()),
        kernel: line("proc/sys/kernel/osrelease"),
        cpu: cpuinfo.as_deref().and_then(cpu_model),
        logical_cpus: read("proc/self/status").as_deref().and_then(allowed_cpus).unwrap_or_else(available_cpus),
        memory_bytes: read("proc/meminfo").as_deref().and_then(memory_bytes),
        container: container(root),
    }
}

/// Host name from the environment, for systems without `/proc`; only for the real machine.
fn from_environment(root: &Path) -> Option<String> {
    if root != Path::new("/") {
        return None;
    }
    ["COMPUTERNAME", "HOSTNAME", "HOST"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn available_cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

/// `PRETTY_NAME` of an os-release file (os-release(5)).
fn os_name(text: &str) -> Option<String> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        let name = line.trim().trim_matches(['"', '\'']);
        (!name.is_empty()).then(|| name.to_owned())
    };
    value("PRETTY_NAME").or_else(|| value("NAME"))
}

/// Value of the first line `key : value` whose key is one of `keys`, tried in order.
fn first_field(text: &str, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            (name.trim() == *key && !value.is_empty()).then_some(value)
        })
    })
}

/// CPU model: x86 calls it `model name`, some Arm boards `Model` or `Hardware`, POWER `cpu`.
fn cpu_model(text: &str) -> Option<String> {
    first_field(text, &["model name", "Model", "Hardware", "cpu"])
}

/// Number of CPUs in a list such as `0-3,8` of `/proc/self/status` (cpuset(7)).
fn allowed_cpus(status: &str) -> Option<u32> {
    let list = first_field(status, &["Cpus_allowed_list"])?;
    let mut count = 0_u32;
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(count)
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let text = first_field(meminfo, &["MemTotal"])?;
    let kibibytes: u64 = text.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(MEMINFO_UNIT_BYTES)
}

/// Container technology, by the marks that each leaves.
fn container(root: &Path) -> Option<String> {
    if root.join(".dockerenv").exists() {
        return Some("docker".to_owned());
    }
    if root.join("run/.containerenv").exists() {
        return Some("podman".to_owned());
    }
    if root.join(".singularity.d").exists() {
        return Some("singularity".to_owned());
    }
    // systemd and systemd-nspawn write the technology's name here (systemd's container interface).
    if let Ok(name) = std::fs::read_to_string(root.join("run/systemd/container")) {
        let name = name.trim();
        if !name.is_empty() {
            return Some(name.to_owned());
        }
    }
    let groups = std::fs::read_to_string(root.join("proc/1/cgroup")).unwrap_or_default();
    [
        ("kubepods", "kubernetes"),
        ("docker", "docker"),
        ("libpod", "podman"),
        ("lxc", "lxc"),
        ("containerd", "containerd"),
    ]
    .iter()
    .find(|(mark, _)| groups.contains(mark))
    .map(|(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_linux_machine_is_described_by_its_proc_and_etc() {
        let root = tree(&[
            ("proc/sys/kernel/hostname", "node07\n"),
            ("proc/sys/kernel/osrelease", "6.12.0-amd64\n"),
            ("proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC  9654\nflags : x\n"),
            ("proc/meminfo", "MemTotal:       65536 kB\nMemFree: 1 kB\n"),
            ("proc/self/status", "Name:\twattmark\nCpus_allowed_list:\t0-3,8,10-11\n"),
            ("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n"),
        ]);
        let expected = Host {
            hostname: "node07".to_owned(),
            os: "Debian GNU/Linux 13 (trixie)".to_owned(),
            kernel: Some("6.12.0-amd64".to_owned()),
            cpu: Some("AMD EPYC 9654".to_owned()),
            logical_cpus: 7,
            memory_bytes: Some(65536 * 1024),
            container: None,
        };
        assert_eq!(host_below(root.path()), expected);
    }

    #[test]
    fn a_machine_without_proc_leaves_facts_out_and_does_not_guess() {
        let host = host_below(tree(&[]).path());
        assert_eq!((host.kernel, host.cpu, host.memory_bytes, host.container), (None, None, None, None));
        assert_eq!((host.hostname.as_str(), host.os.as_str()), ("unknown", std::env::consts::OS));
        assert!(host.logical_cpus >= 1);
    }

    #[test]
    fn containers_are_told_by_their_marks() {
        for (file, text, name) in [
            (".dockerenv", "", "docker"),
            ("run/.containerenv", "", "podman"),
            ("run/systemd/container", "systemd-nspawn\n", "systemd-nspawn"),
            ("proc/1/cgroup", "0::/kubepods/besteffort/pod1\n", "kubernetes"),
        ] {
            assert_eq!(host_below(tree(&[(file, text)]).path()).container.as_deref(), Some(name), "{file}");
        }
        assert_eq!(host_below(tree(&[("proc/1/cgroup", "0::/init.scope\n")]).path()).container, None);
    }

    #[test]
    fn malformed_lists_of_cpus_are_no_count() {
        for list in ["", "x", "3-1", "1-"] {
            assert_eq!(allowed_cpus(&format!("Cpus_allowed_list:\t{list}\n")), None, "{list}");
        }
    }
}
