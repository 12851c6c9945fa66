//! Finding and loading the driver's library, once per process.
//!
//! Boards are not looked at here. What surprises people: the library lies outside the loader's path in many containers,
//! so the driver's usual folders are tried too; and `WATTMARK_NVML` names one file, instead of all of these.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::OnceLock;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use crate::power::Obstacle;

/// Environment variable that names the library's file, for installations in odd places and for tests.
pub(super) const LIBRARY_VARIABLE: &str = "WATTMARK_NVML";

/// Where the driver puts its library, besides the loader's own path.
const LIBRARY_PATHS: &[&str] = &[
    "libnvidia-ml.so.1",
    "/usr/local/nvidia/lib64/libnvidia-ml.so.1",
    "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib64/libnvidia-ml.so.1",
    "/usr/lib/libnvidia-ml.so.1",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
    "/run/opengl-driver/lib/libnvidia-ml.so.1",
    "C:\\Program Files\\NVIDIA Corporation\\NVSMI\\nvml.dll",
];

/// File that the user named.
pub(super) fn named() -> Option<OsString> {
    std::env::var_os(LIBRARY_VARIABLE).filter(|file| !file.is_empty())
}

/// Loads the library; boards borrow it for as long as the process lives.
pub(super) fn load() -> Result<&'static Nvml, &'static NvmlError> {
    static LIBRARY: OnceLock<Result<Nvml, NvmlError>> = OnceLock::new();
    let load = || {
        if let Some(file) = named() {
            return Nvml::builder().lib_path(&file).init();
        }
        let mut outcome = Nvml::init();
        // A bare name is looked up by the loader; a path is tried only where it exists.
        let there = |file: &&str| !file.contains(['/', '\\']) || Path::new(file).exists();
        for file in LIBRARY_PATHS.iter().copied().filter(there) {
            if !matches!(outcome, Err(NvmlError::LibloadingError(_))) {
                break;
            }
            outcome = Nvml::builder().lib_path(OsStr::new(file)).init();
        }
        outcome
    };
    LIBRARY.get_or_init(load).as_ref()
}

/// What a library that cannot be used means for the user.
pub(super) fn obstacle(error: &NvmlError) -> Obstacle {
    let named = named().map(|file| file.to_string_lossy().into_owned());
    let remedy = match (error, &named) {
        (NvmlError::LibloadingError(_), Some(_)) => {
            format!("let {LIBRARY_VARIABLE} name the driver's libnvidia-ml.so.1, or unset it")
        }
        (NvmlError::LibloadingError(_), None) => {
            format!(
                "install the driver's libnvidia-ml.so.1 (package libnvidia-compute-*, or run the container with \
                 --gpus all and the `utility` capability); if it lies elsewhere, name the file in {LIBRARY_VARIABLE}"
            )
        }
        (NvmlError::NoPermission, _) => PERMISSION_REMEDY.to_owned(),
        _ => "check that `nvidia-smi` works; reload or reinstall the NVIDIA driver if it does not".to_owned(),
    };
    Obstacle { what: named.unwrap_or_else(|| "libnvidia-ml.so.1".to_owned()), why: error.to_string(), remedy }
}

/// What gives a user access to the boards.
pub(super) const PERMISSION_REMEDY: &str = "give this user access to /dev/nvidiactl and /dev/nvidia*";
