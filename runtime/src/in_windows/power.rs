//! The end of a part of the run: Windows is restarted or shut down by its own program.

use anyhow::bail;

use crate::context::code_text;
use crate::platform::{Command, Processes, Result};

/// Restarts.
///
/// # Errors
/// When Windows refuses.
pub fn restart(processes: &impl Processes) -> Result<()> {
    end(processes, "/r")
}

/// Shuts down.
///
/// # Errors
/// When Windows refuses.
pub fn shut_down(processes: &impl Processes) -> Result<()> {
    end(processes, "/s")
}

/// At once, whatever is open, and as planned: a task sequence is not an unexpected shutdown.
fn end(processes: &impl Processes, how: &str) -> Result<()> {
    const IN_PROGRESS: i64 = 1115;
    let output = processes.run(&Command {
        program: "shutdown.exe".into(),
        arguments: [how, "/t", "0", "/f", "/d", "p:4:1"].map(str::to_owned).to_vec(),
        ..Command::default()
    })?;
    match output.code {
        0 | IN_PROGRESS => Ok(()),
        code => bail!(
            "shutdown.exe {how} ended with {}: {}",
            code_text(code),
            output.stderr.trim()
        ),
    }
}

/// The port that the boot image calls `/dev/ttyS0`.
pub fn serial_port(device: &str) -> Option<String> {
    let number: u32 = device.rsplit_once("ttyS")?.1.parse().ok()?;
    Some(format!(r"\\.\COM{}", number + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_ports_have_their_names_in_windows() {
        assert_eq!(serial_port("/dev/ttyS0").as_deref(), Some(r"\\.\COM1"));
        assert_eq!(serial_port("/dev/tty1"), None);
    }
}
