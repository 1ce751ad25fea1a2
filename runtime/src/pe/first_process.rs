//! The first process of the machine. It does nothing but start the runtime, collect the processes that lost their
//! parents, and stay when the runtime ends: if the first process ended, the kernel would stop without a word.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, WaitOptions, wait};

use super::{command_line, console, shell};

/// How the runtime calls itself when it runs as the first process's child.
pub(super) const CHILD_NAME: &str = "media-runtime-pe";

/// Runs the runtime as a child, for ever. The kernel's leftover parameters, which come as arguments, are not handed on.
pub(super) fn supervise() -> ! {
    let end = match Command::new("/init")
        .arg0(CHILD_NAME)
        .args(std::env::args_os().skip(1))
        .spawn()
    {
        Ok(child) => describe(collect_until(
            i32::try_from(child.id()).ok().and_then(Pid::from_raw),
        )),
        Err(error) => format!("media-runtime could not be started: {error}"),
    };
    console::say(&format!("\n{end}"));
    if command_line().shell {
        console::say("The media allows a shell: type exit to leave it.");
        shell::on_console();
    }
    console::say("Nothing runs any more. Switch the machine off; its log is only in memory.");
    loop {
        if wait(WaitOptions::empty()).is_err() {
            std::thread::park();
        }
    }
}

/// Collects every process that ends until this one does.
fn collect_until(child: Option<Pid>) -> Option<ExitStatus> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == child => {
                return Some(ExitStatus::from_raw(status.as_raw()));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

fn describe(status: Option<ExitStatus>) -> String {
    match status {
        Some(status) => {
            format!("media-runtime ended ({status}) without restarting the machine or switching it off.")
        }
        None => "media-runtime was lost.".to_owned(),
    }
}

/// Sends the text of a panic to every console, not only to the kernel's preferred one.
pub(super) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        console::say(&format!("\nmedia-runtime: an error in the program: {panic}"))
    }));
}
