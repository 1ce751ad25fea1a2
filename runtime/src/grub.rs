//! Which GRUB a Linux brings along, by whose programs it is made to start.

use crate::platform::{Firmware, Result};

/// The kinds of GRUB; they differ in their names and in what the distribution signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grub {
    /// Debian's.
    Debian,
    /// The one of the distributions with RPM packages, whose programs and folder are called grub2.
    Grub2,
}

const DEBIAN: &str = "/usr/sbin/grub-install";
/// The second one where all programs lie in one folder.
const GRUB2: [&str; 2] = ["/usr/sbin/grub2-install", "/usr/bin/grub2-install"];

/// What Debian's grub-install needs for each firmware, and the package that has it. An installer adds only the one for its own machine.
const MODULES: [(Firmware, &str, &str); 2] = [
    (Firmware::Bios, "/usr/lib/grub/i386-pc/modinfo.sh", "grub-pc-bin"),
    (
        Firmware::Uefi,
        "/usr/lib/grub/x86_64-efi/modinfo.sh",
        "grub-efi-amd64-bin (with grub-efi-amd64-signed and shim-signed for Secure Boot)",
    ),
];

impl Grub {
    /// Everything that a system is asked for.
    pub fn paths() -> Vec<&'static str> {
        let modules = MODULES.iter().map(|(_, path, _)| *path);
        [DEBIAN].into_iter().chain(GRUB2).chain(modules).collect()
    }

    /// The one of a system that has some of those paths.
    ///
    /// # Errors
    /// When it has none, or the machine would refuse it.
    pub fn of(has: impl Fn(&str) -> bool, secure_boot: bool) -> Result<Self> {
        if has(DEBIAN) {
            return Ok(Self::Debian);
        }
        anyhow::ensure!(
            GRUB2.iter().any(|path| has(path)),
            "the system has no grub-install; the reference needs grub2-common with grub-pc-bin (BIOS) and \
             grub-efi-amd64-signed and shim-signed (UEFI), or the grub2-install of a distribution with RPM packages"
        );
        anyhow::ensure!(
            !secure_boot,
            "Secure Boot is on, and the loader that the system's grub2-install makes is not signed: switch Secure Boot off \
             while the reference is built"
        );
        Ok(Self::Grub2)
    }

    /// Refuses a system whose GRUB has nothing for the machine's firmware.
    ///
    /// # Errors
    /// When it has nothing.
    pub fn check_firmware(self, has: impl Fn(&str) -> bool, firmware: Firmware) -> Result<()> {
        let missing = MODULES
            .iter()
            .find(|(of, path, _)| *of == firmware && self == Self::Debian && !has(path));
        let Some((_, path, package)) = missing else {
            return Ok(());
        };
        let machine = match firmware {
            Firmware::Bios => "by a BIOS",
            Firmware::Uefi => "by UEFI",
        };
        anyhow::bail!(
            "this machine starts {machine}, and the system has no {path}: install {package} in the reference and capture it again, \
             or set the firmware to start as that of the reference does"
        )
    }

    /// Where the system's menu takes in what others add to it (`41_custom`), below the system's root.
    pub fn custom_menu(self) -> &'static str {
        match self {
            Self::Debian => "boot/grub/custom.cfg",
            Self::Grub2 => "boot/grub2/custom.cfg",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_without_a_grub_that_the_machine_starts_is_refused() {
        let of = |paths: &[&str], secure| Grub::of(|path| paths.contains(&path), secure);
        assert_eq!(of(&[DEBIAN, GRUB2[0]], true).unwrap(), Grub::Debian);
        assert_eq!(of(&[GRUB2[1]], false).unwrap(), Grub::Grub2);
        assert!(
            of(&[GRUB2[1]], true)
                .unwrap_err()
                .to_string()
                .contains("not signed")
        );
        assert!(
            of(&[], false)
                .unwrap_err()
                .to_string()
                .contains("no grub-install")
        );
        assert_eq!(Grub::paths().len(), 5);
    }

    #[test]
    fn a_grub_that_has_nothing_for_the_firmware_is_refused() {
        let check = |path: &str, firmware| Grub::Debian.check_firmware(|known| known == path, firmware);
        for (firmware, path, package) in MODULES {
            assert!(check(path, firmware).is_ok());
            let other = check("/usr/sbin/grub-install", firmware).unwrap_err().to_string();
            assert!(other.contains(path) && other.contains(package), "{other}");
            assert!(Grub::Grub2.check_firmware(|_| false, firmware).is_ok());
        }
    }
}
