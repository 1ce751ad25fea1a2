//! Whether KVM really runs a guest here: some machines open `/dev/kvm` and then hang in the first instruction.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::machine::Accelerator;
use super::process::Call;

const PATIENCE: Duration = Duration::from_secs(3);

/// A boot sector that writes 0x10 to the port 0x501 and so makes QEMU end with the status [`PROVEN`].
const PROBE: [u8; 8] = [0xb0, 0x10, 0xba, 0x01, 0x05, 0xee, 0xf4, 0xf4];
const PROVEN: i32 = 0x10 << 1 | 1;

/// KVM if it boots the probe on the processor that the machine will have, else translation.
///
/// # Errors
/// When the probe cannot be written or started.
pub fn choose(qemu: &str, cpu: &str, cpus: u32) -> Result<Accelerator> {
    if std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Ok(Accelerator::Tcg);
    }
    Ok(if boots(qemu, "kvm", (cpu, cpus), PATIENCE)? {
        Accelerator::Kvm
    } else {
        Accelerator::Tcg
    })
}

fn boots(qemu: &str, accelerator: &str, (cpu, cpus): (&str, u32), patience: Duration) -> Result<bool> {
    let folder = tempfile::tempdir().context("making a folder for the probe of KVM")?;
    let sector = folder.path().join("probe.img");
    let mut bytes = vec![0; 512];
    bytes[..PROBE.len()].copy_from_slice(&PROBE);
    bytes[510..].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&sector, bytes).context("writing the probe of KVM")?;
    let drive = format!(
        "if=ide,format=raw,file={}",
        sector.display().to_string().replace(',', ",,")
    );
    let cpus = cpus.to_string();
    let arguments = [
        "-accel",
        accelerator,
        "-cpu",
        cpu,
        "-smp",
        &cpus,
        "-m",
        "16",
        "-nodefaults",
        "-display",
        "none",
    ];
    let devices = [
        "-device",
        "isa-debug-exit,iobase=0x501,iosize=0x02",
        "-drive",
        &drive,
    ];
    let mut running = Call::new(qemu, arguments.into_iter().chain(devices)).start()?;
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = running.ended()? {
            return Ok(status.code() == Some(PROVEN));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_ends_where_a_guest_runs() {
        assert!(boots("qemu-system-x86_64", "tcg", ("max", 2), Duration::from_secs(60)).unwrap());
        assert!(!boots("qemu-system-x86_64", "no-such-accelerator", ("max", 2), PATIENCE).unwrap());
    }
}
