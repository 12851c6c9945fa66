//! The `wattmark` program: everything is in the library's `cli` room.

use std::process::ExitCode;

fn main() -> ExitCode {
    wattmark::gpu::silence_device_select();
    ExitCode::from(wattmark::cli::main() as u8)
}
