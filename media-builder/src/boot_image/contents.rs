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
    /// Suites whose kernel has not all of them.
    #[serde(default)]
    lacking: Vec<String>,
}

/// A kernel module that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Module<'a> {
    pub(super) name: &'a str,
    /// A kernel without it is an error.
    pub(super) required: bool,
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

    /// The kernel modules that are asked for, those that travel unpacked and the others.
    pub(super) fn modules(&self, ready: bool, suite: &str) -> impl Iterator<Item = Module<'_>> {
        let groups = self.modules.iter().filter(move |group| group.ready == ready);
        groups.flat_map(move |group| {
            let required = group.lacking.iter().all(|lacking| lacking != suite);
            let module = move |name| Module { name, required };
            group.names.iter().map(String::as_str).map(module)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_list_is_valid_and_covers_what_the_runtime_calls() {
        let contents = Contents::linux_pe().unwrap();
        let programs = contents.programs.iter().chain(contents.links.keys());
        let names = programs.filter_map(|path| path.rsplit('/').next());
        let applets = contents.busybox.applets.iter().map(String::as_str);
        let there: Vec<&str> = names.chain(applets).collect();
        for program in [
            "mkfs.fat",
            "mkfs.exfat",
            "mkfs.ext4",
            "mkfs.xfs",
            "mkfs.btrfs",
            "mkntfs",
            "mkswap",
            "efibootmgr",
        ] {
            assert!(there.contains(&program), "{program}");
        }
        let asks = |ready, wanted| {
            contents
                .modules(ready, "trixie")
                .any(|module| module.name == wanted)
        };
        assert!(asks(true, "vmd") && asks(false, "cifs"));
    }

    #[test]
    fn only_a_suite_that_is_named_may_lack_a_module() {
        let contents = Contents::linux_pe().unwrap();
        let optional = |suite| {
            let modules = contents
                .modules(true, suite)
                .chain(contents.modules(false, suite));
            let optional = modules.filter(|module| !module.required);
            optional.map(|module| module.name).collect::<Vec<_>>()
        };
        assert_eq!(optional("bookworm"), ["xhci_pci_renesas", "ntfs3"]);
        assert!(optional("trixie").is_empty());
    }

    /// What is promised to start from, to install to and to speak by: building fails where the kernel lacks one of them.
    #[test]
    fn the_drivers_of_usual_machines_are_asked_for() {
        let contents = Contents::linux_pe().unwrap();
        let asked: Vec<_> = [true, false]
            .into_iter()
            .flat_map(|ready| contents.modules(ready, "trixie"))
            .map(|module| module.name.replace('-', "_"))
            .collect();
        let disks = "ahci nvme vmd uas usb_storage virtio_blk virtio_scsi hv_storvsc vmw_pvscsi mptspi megaraid_sas \
                     mpt3sas aacraid hpsa smartpqi";
        let cards =
            "e1000 e1000e igb igc r8169 tg3 ixgbe i40e virtio_net hv_netvsc vmxnet3 r8152 ax88179_178a";
        let volumes = "vfat exfat isofs udf ext4 xfs btrfs ntfs3 cifs efivarfs";
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
