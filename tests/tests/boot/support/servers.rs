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
        let (servers, share) = servers_of(machine);
        if !servers.is_empty() && size(&share) >= when[killed] {
            let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
            run("kill", &[&["-KILL"], &servers[..]].concat());
            killed += 1;
        }
    }
    killed
}

/// Its processes, and the folder that it serves. They have no parent: the machine is known by naming the server's configuration, too.
fn servers_of(machine: &str) -> (Vec<String>, PathBuf) {
    let processes = fs::read_dir("/proc").expect("/proc");
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let all: Vec<(String, Vec<String>)> = numbers
        .map(|number| (number.clone(), command_line(&number)))
        .collect();
    let names = |words: &[String], text: &str| words.iter().any(|word| word.contains(text));
    let (mut servers, mut share) = (Vec::new(), PathBuf::new());
    for (number, words) in &all {
        let config = words.iter().find(|word| word.ends_with("/smb.conf"));
        let Some(config) = config.filter(|_| words[0].ends_with("/smbd")) else {
            continue;
        };
        if all
            .iter()
            .any(|(_, words)| names(words, machine) && names(words, config))
        {
            servers.push(number.clone());
            share = Path::new(config).with_file_name("files");
        }
    }
    (servers, share)
}

fn command_line(process: &str) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split('\0').map(str::to_owned).collect()
}

fn size(folder: &Path) -> u64 {
    let files = files_below(folder, "");
    files
        .iter()
        .filter_map(|file| fs::metadata(file).ok())
        .map(|about| about.len())
        .sum()
}
