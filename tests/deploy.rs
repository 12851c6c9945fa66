//! The files of `deploy`: manifests hold only what Kubernetes knows, their commands do what they say, and their exit codes are
//! those of the program.
//!
//! No cluster is started. What surprises people: fields that a manifest misspells vanish when it is read into Kubernetes' own types,
//! so every leaf of the text is looked for in what came of it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may fail, and says what it left out"
)]

mod qualify_support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use clap::CommandFactory;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use qualify_support::GOOD;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wattmark::cli::{Cli, Exit};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(deploy().join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&text(&format!("kubernetes/{path}"))).unwrap()
}

/// Every leaf of `written` that is not in `read`, by its path.
fn lost(written: &Value, read: &Value, path: &str, found: &mut Vec<String>) {
    match (written, read) {
        (Value::Object(fields), _) => {
            for (key, below) in fields {
                lost(below, &read[key], &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(items), _) => {
            for (index, item) in items.iter().enumerate() {
                lost(item, &read[index], &format!("{path}[{index}]"), found);
            }
        }
        // A quantity such as a number of GPUs is a text to Kubernetes.
        (Value::Number(number), Value::String(text)) if number.to_string() == *text => {}
        _ if written == read => {}
        _ => found.push(format!("{path}: {written} became {read}")),
    }
}

fn typed<T: DeserializeOwned + serde::Serialize>(file: &str) -> T {
    let written = yaml(file);
    let value: T = serde_json::from_value(written.clone()).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut found = Vec::new();
    lost(&written, &serde_json::to_value(&value).unwrap(), "", &mut found);
    assert!(found.is_empty(), "{file}: {found:?}");
    value
}

#[test]
fn every_manifest_holds_only_fields_that_kubernetes_knows_and_none_is_forgotten() {
    typed::<Namespace>("namespace.yaml");
    typed::<PersistentVolumeClaim>("records.yaml");
    let job = typed::<Job>("qualify.yaml").spec.unwrap();
    let daemons = typed::<DaemonSet>("new-nodes.yaml").spec;
    // A pod for each node and no two on one: as many completions as pods at once, apart by host name.
    assert_eq!((job.completions, job.completion_mode.as_deref()), (job.parallelism, Some("Indexed")));
    let pod = job.template.spec.unwrap();
    let apart =
        pod.affinity.unwrap().pod_anti_affinity.unwrap().required_during_scheduling_ignored_during_execution.unwrap();
    assert_eq!(apart[0].topology_key, "kubernetes.io/hostname");
    let label = apart[0].label_selector.as_ref().unwrap().match_labels.as_ref().unwrap();
    assert!(
        label
            .iter()
            .all(|pair| job.template.metadata.as_ref().unwrap().labels.as_ref().unwrap().get(pair.0) == Some(pair.1))
    );
    for container in pod.containers.iter().chain(daemons.template.spec.unwrap().init_containers.iter().flatten()) {
        let security = container.security_context.as_ref().unwrap();
        assert_eq!(security.allow_privilege_escalation, Some(false), "{}", container.name);
        assert_eq!(security.read_only_root_filesystem, Some(true), "{}", container.name);
        assert_eq!(security.capabilities.as_ref().unwrap().drop.as_deref(), Some(&["ALL".to_owned()][..]));
    }
    let listed = yaml("kustomization.yaml")["resources"].as_array().unwrap().clone();
    for file in &listed {
        assert!(deploy().join("kubernetes").join(file.as_str().unwrap()).is_file(), "{file}");
    }
    let files = std::fs::read_dir(deploy().join("kubernetes")).unwrap().count();
    assert_eq!(files, listed.len() + 2, "besides those listed, kustomization.yaml itself and new-nodes.yaml");
}

#[test]
fn the_pod_without_a_claim_comes_to_no_node_that_did_not_ask_for_it() {
    let pod = typed::<DaemonSet>("new-nodes.yaml").spec.template.spec.unwrap();
    let asked = pod.node_selector.unwrap();
    assert_eq!(asked.get("wattmark/qualify").map(String::as_str), Some("wanted"));
    let claims = |container: &k8s_openapi::api::core::v1::Container| {
        let limits = container.resources.as_ref().and_then(|resources| resources.limits.clone()).unwrap_or_default();
        limits.keys().any(|name| name.contains('/'))
    };
    assert!(
        !pod.init_containers.iter().flatten().chain(&pod.containers).any(claims),
        "a claim would never be given back"
    );
    // One bad node, or a fleet without a reference, must not end the job of the others.
    assert_eq!(typed::<Job>("qualify.yaml").spec.unwrap().max_failed_indexes, None);
}

#[test]
fn a_misspelt_field_is_noticed() {
    let written: Value = serde_yaml_ng::from_str("spec: {completion: 3, parallelism: 2}").unwrap();
    let job: Job = serde_json::from_value(written.clone()).unwrap();
    let mut found = Vec::new();
    lost(&written, &serde_json::to_value(job).unwrap(), "", &mut found);
    assert_eq!(found, [".spec.completion: 3 became null"]);
}

#[test]
fn a_verdict_is_not_tried_again_and_the_codes_are_those_of_the_program() {
    let policy = typed::<Job>("qualify.yaml").spec.unwrap().pod_failure_policy.unwrap();
    let rule = policy.rules.iter().find(|rule| rule.action == "FailIndex").unwrap();
    let codes = &rule.on_exit_codes.as_ref().unwrap().values;
    let verdicts = [Exit::Usage, Exit::NoDevice, Exit::VerificationFailed, Exit::Quality, Exit::Limit];
    assert_eq!(*codes, verdicts.map(|exit| exit as i32));
    let script = shell("new-nodes.yaml", "initContainers");
    let results =
        [Exit::Ok, Exit::VerificationFailed, Exit::Quality, Exit::Limit].map(|exit| (exit as i32).to_string());
    assert!(script.contains(&format!("{}) exit 0", results.join(" | "))), "{script}");
}

/// What the first container of a manifest gives to its shell.
fn shell(file: &str, containers: &str) -> String {
    let container = &yaml(file)["spec"]["template"]["spec"][containers][0];
    assert_eq!(container["command"], serde_json::json!(["/bin/sh", "-c"]));
    container["args"][0].as_str().unwrap().to_owned()
}

/// A node: a folder with a device, a folder for records, and the program on the PATH.
struct Node {
    folder: tempfile::TempDir,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("device.toml"), GOOD).unwrap();
        for name in ["bin", "metrics"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_wattmark"), folder.path().join("bin/wattmark")).unwrap();
        Self { folder }
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    fn command(&self, script: &str, options: &str, references: &str) -> Command {
        let path = format!("{}/bin:{}", self.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).current_dir(self.path()).env("PATH", path).env("NODE_NAME", "node-7");
        command
            .env("WATTMARK_RESULTS", self.path().join("records"))
            .env("WATTMARK_METRICS", self.path().join("metrics"));
        command.env("WATTMARK_OPTIONS", options).env("WATTMARK_REFERENCES", references).env_remove("WATTMARK_CACHE");
        command
    }
    fn verdicts(&self) -> Vec<Value> {
        let folders = std::fs::read_dir(self.path().join("records/node-7")).into_iter().flatten();
        let files = folders.map(|folder| folder.unwrap().path().join("qualification.json"));
        files.filter_map(|file| serde_json::from_slice(&std::fs::read(file).ok()?).ok()).collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_job_qualifies_a_node_and_a_pod_after_one_that_was_killed_goes_on_where_it_was() {
    let script = shell("qualify.yaml", "containers");
    let node = Node::new();
    let options = "--duration 4m --label rack=r1";
    let mut child = node
        .command(&script, options, "--simulate device.toml --slow 2s")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let segments =
        |node: &Node| node.verdicts().first().map_or(0, |one| one["segments"].as_array().map_or(0, Vec::len));
    while segments(&node) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(120), "no segment in two minutes");
        std::thread::sleep(Duration::from_millis(50));
    }
    // The shell became the program, so this is what a node that goes down does to it.
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(node.verdicts()[0]["status"]["state"], "running");
    let again = node.command(&script, options, "--simulate device.toml").output().unwrap();
    assert!(said(&again).contains("going on with "), "{}", said(&again));
    // There is nothing to hold a lone board against: inconclusive.
    assert_eq!(again.status.code(), Some(Exit::Quality as i32), "{}", said(&again));
    let verdicts = node.verdicts();
    assert_eq!((verdicts.len(), &verdicts[0]["status"]["state"]), (1, &"complete".into()));
    assert_eq!((&verdicts[0]["labels"]["node"], &verdicts[0]["labels"]["rack"]), (&"node-7".into(), &"r1".into()));
    // Once that has come to its end, the next pod begins a new one.
    node.command(&script, "--quick", "--simulate device.toml").output().unwrap();
    assert_eq!(node.verdicts().len(), 2);
}

#[test]
fn a_new_node_leaves_metrics_that_promtool_accepts_and_a_verdict_does_not_keep_its_pod_from_coming_up() {
    let script = shell("new-nodes.yaml", "initContainers");
    let node = Node::new();
    let output = node.command(&script, "--simulate device.toml", "").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let metrics = node.path().join("metrics/wattmark.prom");
    let written = std::fs::read_to_string(&metrics).unwrap();
    assert!(written.contains("node=\"node-7\"") || written.contains("label_node=\"node-7\""), "{written}");
    let names: Vec<_> = std::fs::read_dir(node.path().join("metrics")).unwrap().collect();
    assert_eq!(names.len(), 1, "no temporary file is left beside it");
    // Without a device there is no verdict, and the pod is tried again.
    let output = node.command(&script, "--simulate no-such.toml", "").output().unwrap();
    assert_eq!(output.status.code(), Some(Exit::Usage as i32), "{}", said(&output));
    let Some(promtool) = std::env::var_os("WATTMARK_PROMTOOL") else {
        eprintln!("not run: WATTMARK_PROMTOOL is not set, so the metrics are not given to promtool");
        return;
    };
    let checked = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(metrics).unwrap())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
}

#[test]
fn a_new_node_s_pod_that_is_deleted_in_its_load_leaves_the_record_so_far() {
    let script = shell("new-nodes.yaml", "initContainers");
    let node = Node::new();
    let mut command = node.command(&script, "--simulate device.toml --segment 20s --slow 500ms", "");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let records = node.path().join("records");
    let begun = Instant::now();
    let saved = || {
        let folders = std::fs::read_dir(&records).into_iter().flatten();
        folders.map(|folder| folder.unwrap().path()).find(|folder| folder.join("segment-0001.json").exists())
    };
    while saved().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no segment in two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
    // The kubelet's signal, to the first process alone.
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(Exit::Interrupted as i32));
    let verdict = std::fs::read(saved().unwrap().join("qualification.json")).unwrap();
    let verdict: Value = serde_json::from_slice(&verdict).unwrap();
    assert_eq!(verdict["status"]["state"], "interrupted");
}

// ---- shell ---------------------------------------------------------------------------------------------------------

#[test]
fn the_shell_scripts_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script");
    let checks = Command::new("shellcheck").arg("--version").output().is_ok();
    if !checks {
        eprintln!("not run: shellcheck is not on the PATH");
    }
    for (name, kind, script) in [
        ("qualify.yaml", "sh", shell("qualify.yaml", "containers")),
        ("new-nodes.yaml", "sh", shell("new-nodes.yaml", "initContainers")),
        ("qualify.sbatch", "bash", text("slurm/qualify.sbatch")),
        ("collect.sbatch", "bash", text("slurm/collect.sbatch")),
    ] {
        std::fs::write(&file, &script).unwrap();
        let parsed = Command::new(kind).arg("-n").arg(&file).output().unwrap();
        assert!(parsed.status.success(), "{name}: {}", said(&parsed));
        // The kubelet takes $(NAME) for one of its variables, and $$ for a dollar.
        assert!(kind == "bash" || !script.contains("$(") && !script.contains("$$"), "{name}");
        if checks {
            let checked = Command::new("shellcheck").args(["-s", kind]).arg(&file).output().unwrap();
            assert!(checked.status.success(), "{name}: {}", said(&checked));
        }
    }
}

/// What a variable of a manifest's first container is set to.
fn variable(file: &str, containers: &str, name: &str) -> String {
    let all = yaml(file)["spec"]["template"]["spec"][containers][0]["env"].as_array().unwrap().clone();
    all.iter().find(|one| one["name"] == name).unwrap()["value"].as_str().unwrap().to_owned()
}

#[test]
fn the_program_takes_the_options_that_manifests_and_scripts_set_or_name() {
    let mut options = vec![
        variable("qualify.yaml", "containers", "WATTMARK_OPTIONS"),
        "--burn-in 24h --label cluster=a --profile /records/h200.toml".to_owned(),
        "--duration 1h --profile h200.toml --label rack=r12".to_owned(),
    ];
    assert!(text("kubernetes/qualify.yaml").contains("--burn-in 24h --label cluster=a"));
    assert!(text("kubernetes/qualify.yaml").contains("--profile /records/h200.toml"));
    assert!(text("slurm/qualify.sbatch").contains(&options[2]));
    let usual = text("slurm/qualify.sbatch");
    options.push(usual.split("${WATTMARK_OPTIONS:-").nth(1).unwrap().split('}').next().unwrap().to_owned());
    for words in options {
        let line = ["wattmark", "qualify"].into_iter().chain(words.split_whitespace());
        let taken = Cli::command().try_get_matches_from(line);
        assert!(taken.is_ok(), "{words}: {}", taken.unwrap_err());
    }
}

#[test]
fn the_job_scripts_of_slurm_qualify_and_collect_where_srun_only_starts_what_it_is_given() {
    let node = Node::new();
    let srun = node.path().join("bin/srun");
    // `srun --kill-on-bad-exit=0 PROGRAM ARGUMENTS`.
    std::fs::write(&srun, "#!/bin/sh\n[ \"$1\" = --kill-on-bad-exit=0 ] || exit 99\nshift\nexec \"$@\"\n").unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&srun, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = |name: &str, options: &str| {
        let mut command = node.command(&text(&format!("slurm/{name}.sbatch")), options, "");
        command.env_remove("WATTMARK").env("WATTMARK_FLEET_OPTIONS", "--by rack --fail-on-outlier").output().unwrap()
    };
    let output = run("qualify", "--duration 20s --simulate device.toml --label rack=r1");
    assert_eq!(output.status.code(), Some(Exit::Quality as i32), "{}", said(&output));
    let output = run("collect", "");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for name in ["fleet.md", "fleet.csv"] {
        let written = std::fs::read_to_string(node.path().join("records").join(name)).unwrap();
        assert!(written.contains("Simulated H100"), "{name}: {written}");
    }
}

// ---- container -----------------------------------------------------------------------------------------------------

#[test]
fn the_image_asks_for_the_driver_s_vulkan_and_its_names_have_no_host() {
    let file = text("Containerfile");
    let value = |key: &str| file.split(key).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let capabilities = value("NVIDIA_DRIVER_CAPABILITIES=");
    assert!(
        ["graphics", "utility"].iter().all(|one| capabilities.split(',').any(|word| word == *one)),
        "{capabilities}"
    );
    let (build, base) = (value("RUST_IMAGE="), value("BASE_IMAGE="));
    assert!([&build, &base].iter().all(|name| !name.contains('/')), "{build}, {base}");
    let release = base.strip_prefix("debian:").unwrap().strip_suffix("-slim").unwrap();
    assert!(build.ends_with(release), "{build} has a C library that {base} may not have");
    let user = typed::<Job>("qualify.yaml").spec.unwrap().template.spec.unwrap().security_context.unwrap().run_as_user;
    assert_eq!(value("USER "), format!("{0}:{0}", user.unwrap()));
}

#[test]
fn the_container_file_copies_what_there_is_and_installs_what_the_program_needs() {
    let file = text("Containerfile");
    let root = deploy().parent().unwrap().to_owned();
    let copied = file.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from"));
    for source in copied.flat_map(|line| line.split(' ').rev().skip(1)) {
        assert!(root.join(source).exists(), "COPY {source}");
    }
    assert!(file.contains("ENTRYPOINT [\"/usr/local/bin/wattmark\"]") && file.contains("USER 65532"), "{file}");
    // Vulkan and the power libraries are opened when they are needed; what the program is linked with is in every image.
    let linked = Command::new("ldd").arg(env!("CARGO_BIN_EXE_wattmark")).output().unwrap();
    let base = [
        "linux-vdso",
        "libc.so",
        "libm.so",
        "libgcc_s.so",
        "libdl.so",
        "libpthread.so",
        "librt.so",
        "ld-linux",
        "ld-musl",
        "libc.musl",
    ];
    for library in said(&linked).lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(base.iter().any(|known| library.contains(known)), "{library} is in no package that the image installs");
    }
    assert!(file.contains(" libvulkan1 "), "{file}");
}
