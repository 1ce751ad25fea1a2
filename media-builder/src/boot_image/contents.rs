//! The list of what a boot image is made of: data, embedded from `payloads/boot-image/`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Error, Result};

const LINUX_PE: &str = include_str!("../../../payloads/boot-image/linux-pe.toml");
/// The script that udhcpc calls when it has a lease.
pub(super) const UDHCPC_SCRIPT: &str = include_str!("../../../payloads/boot-image/udhcpc.script");

/// Everything that goes into a boot image, besides the runtime itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    format: u32,
    /// Packages to resolve with their dependencies; `a|b` takes the first that the suite has.
    pub(super) packages: Vec<String>,
    /// Programs, by path; their libraries follow.
    pub(super) programs: Vec<String>,
    /// Symbolic links: path → target.
    pub(super) links: BTreeMap<String, String>,
    /// Plain files: path in the image → path in the packages.
    pub(super) files: BTreeMap<String, String>,
    pub(super) busybox: Busybox,
    pub(super) modules: Vec<ModuleGroup>,
    /// Members of the boot image: name → path in the packages.
    pub(super) efi: BTreeMap<String, String>,
    pub(super) bios: Bios,
}

/// The names under which busybox can be called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Busybox {
    pub(super) applets: Vec<String>,
}

/// Kernel modules with the reason why they are there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModuleGroup {
    why: String,
    /// Whether they travel unpacked.
    #[serde(default)]
    ready: bool,
    names: Vec<String>,
}

/// The files with which GRUB starts on a BIOS.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bios {
    pub(super) files: Vec<String>,
    pub(super) early_config: String,
    /// Member name → how to make the core image.
    pub(super) cores: BTreeMap<String, Core>,
}

/// One GRUB core image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Core {
    pub(super) format: String,
    pub(super) modules: Vec<String>,
}

impl Contents {
    /// The Linux PE that this program was built with.
    pub(super) fn linux_pe() -> Result<Self> {
        Self::parse(LINUX_PE)
    }

    fn parse(text: &str) -> Result<Self> {
        let contents: Self = toml::from_str(text).map_err(|error| Error::Contents(error.to_string()))?;
        if contents.format != 1 {
            return Err(Error::Contents(format!(
                "format {} is unknown, 1 is known",
                contents.format
            )));
        }
        match contents.modules.iter().find(|group| group.why.trim().is_empty()) {
            Some(group) => Err(Error::Contents(format!("{:?} have no reason", group.names))),
            None => Ok(contents),
        }
    }

    /// The names of the kernel modules that are asked for, those that travel unpacked and the others.
    pub(super) fn module_names(&self, ready: bool) -> impl Iterator<Item = &str> {
        let groups = self.modules.iter().filter(move |group| group.ready == ready);
        groups.flat_map(|group| &group.names).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_list_is_valid_and_covers_what_the_runtime_calls() {
        let contents = Contents::linux_pe().unwrap();
        for program in [
            "usr/sbin/mke2fs",
            "usr/sbin/mkfs.fat",
            "usr/sbin/mkntfs",
            "usr/bin/efibootmgr",
        ] {
            assert!(contents.programs.iter().any(|p| p == program), "{program}");
        }
        assert!(contents.module_names(true).any(|name| name == "vmd"));
        assert!(contents.module_names(false).any(|name| name == "cifs"));
    }

    /// What is promised to start from, to install to and to speak by: building fails where the kernel lacks one of them.
    #[test]
    fn the_drivers_of_usual_machines_are_asked_for() {
        let contents = Contents::linux_pe().unwrap();
        let asked: Vec<_> = [true, false]
            .into_iter()
            .flat_map(|ready| contents.module_names(ready))
            .map(|name| name.replace('-', "_"))
            .collect();
        let disks = "ahci nvme vmd uas usb_storage virtio_blk virtio_scsi hv_storvsc vmw_pvscsi mptspi megaraid_sas \
                     mpt3sas aacraid hpsa smartpqi";
        let cards =
            "e1000 e1000e igb igc r8169 tg3 ixgbe i40e virtio_net hv_netvsc vmxnet3 r8152 ax88179_178a";
        let volumes = "vfat exfat isofs udf ext4 xfs btrfs cifs efivarfs";
        for wanted in [disks, cards, volumes]
            .iter()
            .flat_map(|names| names.split_whitespace())
        {
            assert!(asked.iter().any(|name| name == wanted), "{wanted}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = LINUX_PE.replacen("format = 1", "format = 1\nformats = 2", 1);
        assert!(
            Contents::parse(&text)
                .unwrap_err()
                .to_string()
                .contains("formats")
        );
    }

    #[test]
    fn modules_without_a_reason_are_refused() {
        let text = LINUX_PE.replacen("why = \"Hyper-V, both generations\"", "why = \" \"", 1);
        assert!(
            Contents::parse(&text)
                .unwrap_err()
                .to_string()
                .contains("no reason")
        );
    }
}
