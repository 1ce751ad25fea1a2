//! Messages on every console: the screen and, where the kernel was told of one, the serial line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};

/// Only what ends the machine may write over the runtime's own screen.
const KERNEL_LEVEL: &str = "2";

/// Writes to every console of the kernel at once; a console that fails does not stop the others.
pub struct Console {
    outputs: Vec<File>,
}

/// The device nodes of all consoles, the kernel's preferred one last.
pub fn devices() -> Vec<String> {
    let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    parse_active(&active)
}

fn parse_active(text: &str) -> Vec<String> {
    // tty0 is whichever virtual console is in front; the runtime stays on the first.
    let names = text
        .split_whitespace()
        .map(|name| if name == "tty0" { "tty1" } else { name });
    names.map(|name| format!("/dev/{name}")).collect()
}

impl Console {
    /// Opens every console that there is.
    pub fn open() -> Self {
        let open = |path: String| OpenOptions::new().write(true).open(path).ok();
        let mut outputs: Vec<File> = devices().into_iter().filter_map(open).collect();
        if outputs.is_empty() {
            outputs.extend(open("/dev/console".to_owned()));
        }
        Self { outputs }
    }
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for output in &mut self.outputs {
            // Nobody is left who could be told.
            let _ = output.write_all(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One line on every console.
pub fn say(line: &str) {
    let _ = Console::open().write_all(format!("{line}\n").as_bytes());
}

/// Keeps the kernel's messages off the screen; they stay in its log.
pub(super) fn quiet_kernel(warnings: &mut Vec<String>) {
    if let Err(error) = fs::write("/proc/sys/kernel/printk", KERNEL_LEVEL) {
        warnings.push(format!("setting the kernel's log level: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_is_its_first_terminal() {
        assert_eq!(parse_active("tty0 ttyS0\n"), ["/dev/tty1", "/dev/ttyS0"]);
        assert!(parse_active("").is_empty());
    }
}
