//! The shell, for media that allow one.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};

use super::{CommandLine, console};

/// The screen's second terminal (Alt+F2); the first is the runtime's own.
const TERMINAL: &str = "/dev/tty2";

/// Opens a shell beside the runtime, again whenever it is left. Does nothing unless the media allows it.
pub fn open(command_line: &CommandLine) -> io::Result<()> {
    if !command_line.shell {
        return Ok(());
    }
    let serve = || while session(TERMINAL).is_ok() {};
    std::thread::Builder::new()
        .name("shell".to_owned())
        .spawn(serve)
        .map(drop)
}

/// One session on the kernel's preferred console.
pub(super) fn on_console() {
    let device = console::devices()
        .pop()
        .unwrap_or_else(|| "/dev/console".to_owned());
    if let Err(error) = session(&device) {
        console::say(&format!("opening a shell on {device}: {error}"));
    }
}

fn session(device: &str) -> io::Result<()> {
    let terminal = File::options().read(true).write(true).open(device)?;
    let mut command = Command::new("/bin/busybox");
    // A session of its own: else the shell has no job control and Ctrl+C would go nowhere.
    command
        .args(["setsid", "-c", "/bin/busybox", "sh", "-l"])
        .env("HOME", "/root")
        .env("TERM", "linux");
    command.env("PATH", "/usr/bin:/usr/sbin").current_dir("/");
    command
        .stdin(terminal.try_clone()?)
        .stdout(Stdio::from(terminal.try_clone()?))
        .stderr(terminal);
    command.spawn()?.wait().map(drop)
}
