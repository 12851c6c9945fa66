//! A real Slurm on this machine for a test: munged, slurmctld and slurmd of the distribution, in a folder of their own, with
//! ports, key and socket of their own. Nothing of an installed Slurm's configuration is read or changed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The daemons; they end with this value.
pub struct Slurm {
    folder: tempfile::TempDir,
    daemons: Vec<Child>,
}

impl Drop for Slurm {
    fn drop(&mut self) {
        // The last to start is the first to end.
        for daemon in self.daemons.iter_mut().rev() {
            // Slurm's daemons end their children at SIGTERM; whoever does not listen is killed.
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let begun = Instant::now();
            while matches!(daemon.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn output_of(command: &mut Command) -> String {
    String::from_utf8_lossy(&command.output().unwrap().stdout).trim().to_owned()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Slurm {
    /// Starts a cluster of one node with as many CPUs as asked for, however many there are. `None`, said on standard error,
    /// where WATTMARK_SLURM does not say that Slurm is installed.
    pub fn start(cpus: u32) -> Option<Self> {
        if std::env::var_os("WATTMARK_SLURM").is_none() {
            eprintln!("not run: WATTMARK_SLURM is not set, so no Slurm is started");
            return None;
        }
        // Sockets have short paths, and munge wants every folder above its socket to be safe.
        let folder = tempfile::Builder::new().prefix("wm-slurm").tempdir().unwrap();
        let mut slurm = Self { folder, daemons: Vec::new() };
        slurm.write_configuration(cpus);
        slurm.start_munge();
        let path = slurm.path().to_owned();
        slurm.daemon("slurmctld", &[&["-D", "-f"], &[path.join("slurm.conf").to_str().unwrap()][..]].concat());
        slurm.daemon("slurmd", &[&["-D", "-f"], &[path.join("slurm.conf").to_str().unwrap()][..]].concat());
        slurm.wait_for("the node is idle", || {
            output_of(&mut slurm.command("sinfo", &["--noheader", "--format=%T"])) == "idle"
        });
        Some(slurm)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write_configuration(&self, cpus: u32) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["state", "spool"] {
            std::fs::create_dir(path.join(folder)).unwrap();
        }
        let key: Vec<u8> = (0..1024_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        std::fs::write(path.join("munge.key"), key).unwrap();
        std::fs::set_permissions(path.join("munge.key"), std::fs::Permissions::from_mode(0o400)).unwrap();
        let host = output_of(Command::new("hostname").arg("-s"));
        let user = output_of(Command::new("id").arg("-un"));
        let (controller, node, folder) = (free_port(), free_port(), path.display());
        let text = format!(
            "ClusterName=wattmark\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser={user}\nSlurmdUser={user}\n\
             AuthType=auth/munge\nAuthInfo=socket={folder}/munge.sock\nCredType=cred/munge\n\
             SlurmctldPort={controller}\nSlurmdPort={node}\n\
             SlurmctldPidFile={folder}/slurmctld.pid\nSlurmdPidFile={folder}/slurmd.pid\n\
             StateSaveLocation={folder}/state\nSlurmdSpoolDir={folder}/spool\n\
             SlurmctldLogFile={folder}/slurmctld.log\nSlurmdLogFile={folder}/slurmd.log\n\
             ProctrackType=proctrack/pgid\nTaskPlugin=task/none\nSchedulerType=sched/builtin\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nSlurmdParameters=config_overrides\n\
             AccountingStorageType=accounting_storage/none\nJobAcctGatherType=jobacct_gather/none\n\
             SwitchType=switch/none\nMpiDefault=none\nReturnToService=2\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN\n\
             PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES\n"
        );
        std::fs::write(path.join("slurm.conf"), text).unwrap();
    }

    fn start_munge(&mut self) {
        let path = self.path().to_owned();
        let option = |name: &str, file: &str| format!("--{name}={}", path.join(file).display());
        let options = [
            "--foreground".to_owned(),
            // The folder for temporary files is open to all, which munge minds.
            "--force".to_owned(),
            option("key-file", "munge.key"),
            option("socket", "munge.sock"),
            option("pid-file", "munged.pid"),
            option("log-file", "munged.log"),
            option("seed-file", "munge.seed"),
        ];
        self.daemon("munged", &options.iter().map(String::as_str).collect::<Vec<_>>());
        let socket = path.join("munge.sock");
        self.wait_for("munged listens", || socket.exists());
    }

    fn daemon(&mut self, program: &str, arguments: &[&str]) {
        let mut command = self.command(program, arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.daemons.push(child.unwrap_or_else(|error| panic!("{program}: {error}")));
    }

    /// A command of Slurm, or one that asks it. Daemons lie where a user's PATH may not look.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let below = ["/usr/sbin", "/usr/local/sbin"].map(|folder| PathBuf::from(folder).join(program));
        let found = below.into_iter().find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(program));
        let mut command = Command::new(found);
        command.args(arguments).env("SLURM_CONF", self.path().join("slurm.conf")).current_dir(self.path());
        command
    }

    /// Runs a command of Slurm to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program, arguments).output().unwrap()
    }

    fn wait_for(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            if begun.elapsed() > PATIENCE {
                let logs = ["munged.log", "slurmctld.log", "slurmd.log"]
                    .map(|name| std::fs::read_to_string(self.path().join(name)).unwrap_or_default());
                panic!("not within {} s: {what}\n{}", PATIENCE.as_secs(), logs.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
