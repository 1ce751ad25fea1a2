//! What the host must have, found out before anything is written.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::machine::{Firmware, Flash};
use super::process::find;

/// The emulator.
pub const QEMU: &str = "qemu-system-x86_64";

/// Where distributions keep the firmware: the folder, and what its files are called.
const OVMF: [OvmfFiles; 3] = [
    OvmfFiles {
        folder: "/usr/share/OVMF",
        plain: ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
        secure: ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"),
    },
    OvmfFiles {
        folder: "/usr/share/edk2/ovmf",
        plain: ("OVMF_CODE.fd", "OVMF_VARS.fd"),
        secure: ("OVMF_CODE.secboot.fd", "OVMF_VARS.secboot.fd"),
    },
    OvmfFiles {
        folder: "/usr/share/edk2/x64",
        plain: ("OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),
        secure: ("OVMF_CODE.secboot.4m.fd", "OVMF_VARS.4m.fd"),
    },
];

struct OvmfFiles {
    folder: &'static str,
    plain: (&'static str, &'static str),
    secure: (&'static str, &'static str),
}

/// Checks all programs and files that the run needs, and finds the firmware.
///
/// # Errors
/// Names everything that is missing, and what to install.
pub fn check(firmware: Firmware, variables: Option<&Path>, share: bool) -> Result<Option<Flash>> {
    if let (Firmware::Bios, Some(variables)) = (firmware, variables) {
        bail!(
            "a BIOS has no variables: leave --firmware-variables {} out",
            variables.display()
        );
    }
    let mut missing = Vec::new();
    if find(QEMU).is_none() {
        missing.push(format!(
            "{QEMU} (on Debian and Ubuntu: apt install qemu-system-x86)"
        ));
    }
    let flash = match firmware {
        Firmware::Bios => None,
        _ => find_flash(firmware, Path::new("/")),
    };
    if firmware != Firmware::Bios && flash.is_none() {
        missing.push("the UEFI firmware OVMF (on Debian and Ubuntu: apt install ovmf)".to_owned());
    }
    for program in ["smbd", "pdbedit"] {
        if share && find(program).is_none() {
            missing.push(format!(
                "{program} for --share (on Debian and Ubuntu: apt install samba)"
            ));
        }
    }
    if !missing.is_empty() {
        bail!(
            "trying media needs what is not installed here: {}",
            missing.join("; ")
        );
    }
    Ok(flash.map(|flash| Flash {
        variables: variables.map_or(flash.variables, Path::to_owned),
        ..flash
    }))
}

/// The firmware's files; the variables are the template that a run copies.
fn find_flash(firmware: Firmware, root: &Path) -> Option<Flash> {
    let candidates = OVMF.iter().map(|files| {
        let (code, variables) = if firmware == Firmware::SecureBoot {
            files.secure
        } else {
            files.plain
        };
        let folder: PathBuf = root.join(files.folder.trim_start_matches('/'));
        Flash {
            code: folder.join(code),
            variables: folder.join(variables),
        }
    });
    candidates
        .into_iter()
        .find(|flash| flash.code.is_file() && flash.variables.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bios_has_no_variables() {
        let error = check(Firmware::Bios, Some(Path::new("keys.fd")), false).unwrap_err();
        assert!(
            error.to_string().contains("--firmware-variables keys.fd"),
            "{error}"
        );
    }

    #[test]
    fn secure_boot_takes_the_firmware_with_keys_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("usr/share/OVMF");
        std::fs::create_dir_all(&folder).unwrap();
        for file in ["OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", "OVMF_CODE_4M.secboot.fd"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        assert!(find_flash(Firmware::Uefi, root.path()).is_some());
        assert_eq!(find_flash(Firmware::SecureBoot, root.path()), None);
        std::fs::write(folder.join("OVMF_VARS_4M.ms.fd"), "").unwrap();
        let flash = find_flash(Firmware::SecureBoot, root.path()).unwrap();
        assert!(flash.variables.ends_with("OVMF_VARS_4M.ms.fd"));
    }
}
