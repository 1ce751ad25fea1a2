//! What a boot image says of itself: its first member.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The format that this code writes; no other is read.
pub(super) const FORMAT: u32 = 1;

/// What a boot image says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format.
    pub format: u32,
    /// What system it starts.
    #[serde(default)]
    pub kind: Kind,
    /// `x86_64`.
    pub architecture: String,
    /// Of a Linux PE.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub linux: Option<Linux>,
    /// Of a WinPE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winpe: Option<WinPe>,
    /// Every other member, in their order.
    pub members: Vec<Member>,
}

/// What system a boot image starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The one that is made from Debian's packages.
    #[default]
    LinuxPe,
    /// One that is made from the user's own Windows files.
    #[serde(rename = "winpe")]
    WinPe,
}

/// What is known of a Linux PE.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linux {
    /// The Debian suite that it was made from.
    pub suite: String,
    /// The kernel's release, as `uname -r` says it.
    pub kernel_version: String,
    /// Size of the initramfs in memory.
    pub initramfs_unpacked: u64,
    /// The packages that anything was taken from, with their versions.
    pub packages: BTreeMap<String, String>,
    /// The kernel modules in the initramfs, by name.
    pub modules: Vec<String>,
}

/// What is known of a WinPE.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WinPe {
    /// What its WIM calls the image.
    pub name: String,
    /// Its version: major, minor, build and service pack build.
    pub version: String,
    /// Its default language.
    pub language: String,
    /// Index of the image in the WIM that it was taken from.
    pub index: u32,
    /// Who signed what UEFI starts, and the authority of each; `nobody` where nobody did.
    pub uefi_signers: String,
    /// The drivers that were put into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<Driver>,
}

/// A driver of a WinPE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driver {
    /// Where its INF file lies, beneath the folder of the drivers.
    pub path: String,
    /// Name of its device setup class.
    pub class: String,
    /// Who provides it.
    pub provider: String,
    /// Its version.
    pub version: String,
    /// Whether it has a signature that holds.
    pub signed: bool,
}

/// One file of a boot image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// The package that it was taken from unchanged (`name=version`): who signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Who signed it, and the authority of each, where UEFI starts it; `nobody` where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signers: Option<String>,
    /// By what shim revokes it: components with their generations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sbat: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_as_it_was_written_and_one_of_before_there_were_kinds_is_a_linux_pe() {
        let of = |kind| Manifest {
            format: FORMAT,
            kind,
            architecture: "x86_64".into(),
            linux: None,
            winpe: None,
            members: vec![],
        };
        let linux = Manifest {
            linux: Some(Linux {
                suite: "trixie".into(),
                ..Linux::default()
            }),
            ..of(Kind::LinuxPe)
        };
        let winpe = Manifest {
            winpe: Some(WinPe::default()),
            ..of(Kind::WinPe)
        };
        for manifest in [&linux, &winpe] {
            let text = serde_json::to_string(manifest).unwrap();
            assert_eq!(
                &serde_json::from_str::<Manifest>(&text).unwrap(),
                manifest,
                "{text}"
            );
        }
        let text = serde_json::to_string(&linux).unwrap();
        let older = text.replace("\"kind\":\"linux-pe\",", "");
        assert!(older != text && serde_json::from_str::<Manifest>(&older).unwrap() == linux);
    }
}
