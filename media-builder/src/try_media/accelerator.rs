//! Whether KVM runs the machine here: some computers open `/dev/kvm` and then hang in the first instruction, others run an old
//! board and not a newer one, or know no System Management Mode. What passes here has still to start: see [`super::follow`].

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::machine::{Accelerator, Machine};
use super::process::Call;

/// Ten times what a computer takes whose processor runs the guest. Where KVM emulates it, the probe passes late and firmware hangs.
const PATIENCE: Duration = Duration::from_secs(2);
/// The firmware takes no smaller disk for one.
const PROBE_DISK: usize = 1 << 20;

/// A boot sector that writes 0x10 to the port 0x501 and so makes QEMU end with the status [`PROVEN`].
const PROBE: [u8; 8] = [0xb0, 0x10, 0xba, 0x01, 0x05, 0xee, 0xf4, 0xf4];
const PROVEN: i32 = 0x10 << 1 | 1;

/// KVM if it boots the probe on the board and the processors that the machine will have, else translation.
///
/// # Errors
/// When the probe cannot be written or started.
pub fn choose(qemu: &str, machine: &Machine) -> Result<Accelerator> {
    choose_by(Path::new("/dev/kvm"), qemu, machine)
}

fn choose_by(device: &Path, qemu: &str, machine: &Machine) -> Result<Accelerator> {
    let opened = std::fs::File::options().read(true).write(true).open(device);
    if opened.is_err() {
        return Ok(Accelerator::Tcg);
    }
    let by_kvm = Machine {
        accelerator: Accelerator::Kvm,
        ..machine.clone()
    };
    Ok(if boots(qemu, &by_kvm, &PROBE, PATIENCE)? {
        Accelerator::Kvm
    } else {
        Accelerator::Tcg
    })
}

fn boots(qemu: &str, machine: &Machine, probe: &[u8], patience: Duration) -> Result<bool> {
    let folder = tempfile::tempdir().context("making a folder for the probe of KVM")?;
    let sector = folder.path().join("probe.img");
    let mut bytes = vec![0; PROBE_DISK];
    bytes[..probe.len()].copy_from_slice(probe);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&sector, bytes).context("writing the probe of KVM")?;
    let drive = format!(
        "if=ide,format=raw,file={}",
        sector.display().to_string().replace(',', ",,")
    );
    let mut arguments = machine.board_arguments();
    let probe = [
        "-display",
        "none",
        "-device",
        "isa-debug-exit,iobase=0x501,iosize=0x02",
        "-drive",
        &drive,
    ];
    arguments.extend(probe.map(str::to_owned));
    let mut running = Call::new(qemu, arguments).start()?;
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
        let machine = Machine::example();
        let boots = |machine: &Machine| {
            boots("qemu-system-x86_64", machine, &PROBE, Duration::from_secs(60)).unwrap()
        };
        assert!(boots(&machine));
        let impossible = Machine {
            cpu: Some("no-such-processor".into()),
            ..machine
        };
        assert!(!boots(&impossible));
    }

    /// A device that opens proves nothing; nor does one that is not there.
    #[test]
    fn without_a_guest_that_has_run_there_is_no_kvm() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("kvm");
        let machine = Machine {
            cpu: Some("no-such-processor".into()),
            ..Machine::example()
        };
        let choose = || choose_by(&device, "qemu-system-x86_64", &machine).unwrap();
        assert_eq!(choose(), Accelerator::Tcg);
        std::fs::write(&device, "").unwrap();
        assert_eq!(choose(), Accelerator::Tcg);
    }

    #[test]
    fn a_guest_that_hangs_is_given_up_when_the_time_is_over() {
        let patience = Duration::from_secs(3);
        // A jump to itself.
        let hangs = [0xeb, 0xfe];
        let begun = Instant::now();
        assert!(!boots("qemu-system-x86_64", &Machine::example(), &hangs, patience).unwrap());
        assert!(begun.elapsed() >= patience, "it ended by itself");
        assert!(begun.elapsed() < patience * 10, "{:?}", begun.elapsed());
    }
}
