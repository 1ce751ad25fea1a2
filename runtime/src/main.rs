//! The command line of `media-runtime`.

use std::process::ExitCode;

#[cfg_attr(unix, path = "main/linux.rs")]
#[cfg_attr(windows, path = "main/windows.rs")]
mod program;

fn main() -> ExitCode {
    program::main()
}
