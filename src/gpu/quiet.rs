//! Keeps drivers and panics of the graphics stack off the terminal. What surprises people: both are process-wide settings.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// Switches off Mesa's device-select layer, which prints a line about `XDG_RUNTIME_DIR` whenever a Vulkan instance is
/// made without a desktop session. Values that the user set are kept.
///
/// Call it first thing in `main`, while the process has a single thread.
pub fn silence_device_select() {
    let theirs = ["NODEVICE_SELECT", "MESA_VK_DEVICE_SELECT"];
    if theirs.iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    // SAFETY: no other thread exists yet that could read or write the environment at the same time.
    #[allow(unsafe_code)]
    unsafe {
        std::env::set_var("NODEVICE_SELECT", "1");
    }
}

thread_local! {
    static SHIELDED: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs `work` and turns a panic inside it into its message, without printing it.
///
/// wgpu panics where it has no other way to report, above all when a poll meets a lost device.
pub(super) fn shield<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if !SHIELDED.get() {
                usual(info);
            }
        }));
    });
    let outer = SHIELDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    SHIELDED.set(outer);
    outcome.map_err(|payload| message_of(payload.as_ref()))
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
    text.unwrap_or("the graphics library stopped without a message").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(shield(|| 7), Ok(7));
        assert_eq!(shield(|| -> u32 { panic!("parent device is lost") }), Err("parent device is lost".to_owned()));
    }
}
