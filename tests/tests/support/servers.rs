//! The SMB server that `media-builder try` gives a machine: one process for each connection of the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{files_below, run};

/// Kills the server of the machine whose command line has this text, each time that so many bytes lie on its share, until `over`.
/// Gives how often it did.
pub fn kill(machine: &str, when: &[u64], over: &AtomicBool) -> usize {
    let mut killed = 0;
    while killed < when.len() && !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
        let Some((server, share)) = server_of(machine) else {
            continue;
        };
        if size(&share) >= when[killed] {
            run("kill", &["-KILL", &server]);
            killed += 1;
        }
    }
    killed
}

/// Its process, and the folder that it serves.
fn server_of(machine: &str) -> Option<(String, PathBuf)> {
    let processes = fs::read_dir("/proc").expect("/proc");
    let mut numbers = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    numbers.find_map(|number| {
        let words = command_line(&number);
        let is_server = words.first()?.ends_with("/smbd");
        let config = words.iter().find(|word| word.ends_with("/smb.conf"))?;
        let found = is_server && belongs(&number, machine);
        found.then(|| (number, Path::new(config).with_file_name("files")))
    })
}

/// Whether a process that it comes from has the text in its command line.
fn belongs(process: &str, text: &str) -> bool {
    let mut at = process.to_owned();
    while let Some(parent) = parent(&at) {
        if command_line(&parent).iter().any(|word| word.contains(text)) {
            return true;
        }
        at = parent;
    }
    false
}

fn command_line(process: &str) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split('\0').map(str::to_owned).collect()
}

fn parent(process: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
    (parent != "0").then(|| parent.to_owned())
}

fn size(folder: &Path) -> u64 {
    let files = files_below(folder, "");
    files
        .iter()
        .filter_map(|file| fs::metadata(file).ok())
        .map(|about| about.len())
        .sum()
}
