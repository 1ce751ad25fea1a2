//! The shell, for media that allow one.

use std::fs::File;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use super::{CommandLine, console};

/// The screen's second terminal (F8, Alt+F2); the first is the runtime's own.
const TERMINAL: &str = "/dev/tty2";
const WELCOME: &[u8] = b"A shell beside the task sequence; Alt+F1 goes back to it.\n";
const BUSYBOX: &str = "/bin/busybox";

/// A keymap as busybox dumps and loads it: a mark, a flag for each of the tables, and 128 keys of two bytes for each table that is
/// there. The first table is that of keys without Shift, Ctrl or Alt.
const KEYMAP_MARK: &[u8] = b"bkeymap";
const KEYMAP_TABLES: usize = 256;
/// `KEY_F8` of linux/input-event-codes.h.
const F8: usize = 66;
/// `K(KT_CONS, 1)` of linux/keyboard.h: changes to the second terminal.
const SECOND_TERMINAL: u16 = 0x0501;

/// Opens a shell beside the runtime, again whenever it is left. Does nothing unless the media allows it.
///
/// # Errors
/// When there is no shell, or when it is there (Alt+F2) but no F8 that leads to it.
pub fn open(command_line: &CommandLine) -> io::Result<()> {
    if !command_line.shell {
        return Ok(());
    }
    let serve = || while session(TERMINAL, WELCOME).is_ok() {};
    std::thread::Builder::new()
        .name("shell".to_owned())
        .spawn(serve)?;
    give_f8()
}

/// F8 shows the shell, as it opens one in Windows PE.
fn give_f8() -> io::Result<()> {
    let mut dumped = Command::new(BUSYBOX).arg("dumpkmap").output()?.stdout;
    if !lead_f8_to_the_shell(&mut dumped) {
        return Err(io::Error::other("the keymap cannot be read"));
    }
    let mut load = Command::new(BUSYBOX)
        .arg("loadkmap")
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut keymap) = load.stdin.take() {
        keymap.write_all(&dumped)?;
    }
    match load.wait()? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("loading the keymap: {status}"))),
    }
}

/// False where it is no keymap, or one without plain keys.
fn lead_f8_to_the_shell(keymap: &mut [u8]) -> bool {
    let plain = KEYMAP_MARK.len();
    if !keymap.starts_with(KEYMAP_MARK) || keymap.get(plain) != Some(&1) {
        return false;
    }
    let key = keymap
        .get_mut(plain + KEYMAP_TABLES + 2 * F8..)
        .and_then(<[u8]>::first_chunk_mut);
    let there = key.is_some();
    if let Some(key) = key {
        *key = SECOND_TERMINAL.to_ne_bytes();
    }
    there
}

/// One session on the kernel's preferred console.
pub(super) fn on_console() {
    let device = console::devices()
        .pop()
        .unwrap_or_else(|| "/dev/console".to_owned());
    if let Err(error) = session(&device, b"") {
        console::say(&format!("opening a shell on {device}: {error}"));
    }
}

fn session(device: &str, welcome: &[u8]) -> io::Result<()> {
    let mut terminal = File::options().read(true).write(true).open(device)?;
    terminal.write_all(welcome)?;
    let mut command = Command::new(BUSYBOX);
    // A session of its own: else the shell has no job control and Ctrl+C would go nowhere.
    command
        .args(["setsid", "-c", BUSYBOX, "sh", "-l"])
        .env("HOME", "/root")
        .env("TERM", "linux");
    command.env("PATH", "/usr/bin:/usr/sbin").current_dir("/");
    command
        .stdin(terminal.try_clone()?)
        .stdout(Stdio::from(terminal.try_clone()?))
        .stderr(terminal);
    command.spawn()?.wait().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f8_changes_to_the_second_terminal_and_no_other_key_does_anything_else() {
        let keys: Vec<u8> = (0..128_u16).flat_map(u16::to_ne_bytes).collect();
        let mut flags = [0; KEYMAP_TABLES];
        (flags[0], flags[4]) = (1, 1);
        let before = [KEYMAP_MARK, &flags, &keys, &keys].concat();
        let mut keymap = before.clone();
        assert!(lead_f8_to_the_shell(&mut keymap));
        let changed: Vec<_> = (0..before.len())
            .filter(|at| before[*at] != keymap[*at])
            .collect();
        let at = KEYMAP_MARK.len() + KEYMAP_TABLES + 2 * 66;
        assert_eq!(changed, [at, at + 1]);
        assert_eq!(keymap[at..at + 2], 0x0501_u16.to_ne_bytes());
    }

    #[test]
    fn what_is_no_keymap_is_not_loaded() {
        let without_plain = [KEYMAP_MARK, &[0; KEYMAP_TABLES], &[0; 256]].concat();
        let short = [KEYMAP_MARK, &[1; 20]].concat();
        for mut bytes in [b"applet not found".to_vec(), without_plain, short, vec![]] {
            assert!(!lead_f8_to_the_shell(&mut bytes));
        }
    }
}
