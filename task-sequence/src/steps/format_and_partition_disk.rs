//! `format-and-partition-disk`: erases a disk, partitions it and formats the partitions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{Setting, settings};
use crate::validate::Check;
use super::{DiskSelector, Partition, PartitionStyle, Place, StepOptions, StepType};

mod partitions;

pub use partitions::misplaced_partitions;

/// Erases a disk, partitions it and formats the partitions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct FormatAndPartitionDisk {
    /// Which disk; without it, the only one of the machine.
    #[serde(skip_serializing_if = "DiskSelector::is_default")]
    pub disk: DiskSelector,
    /// The kind of partition table; by firmware where absent.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub style: Setting<PartitionStyle>,
    /// The partitions in order; absent: the default layout of the operating system.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Partition>,
    /// A disk that is not empty may be erased; otherwise it is refused.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub erase_existing: Setting<bool>,
    /// Whether a disk gets the partitions to boot from where `partitions` has none; always so: `false` is not looked at.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub boot_disk: Setting<bool>,
    /// The letter of the EFI system partition; not looked at, because it gets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efi_volume: Option<String>,
}

impl StepOptions for FormatAndPartitionDisk {
    const TYPE: StepType = StepType {
        name: "format-and-partition-disk",
        title: "Format and Partition Disk",
        place: Place::Pe,
        after_cut: AfterCut::Repeat,
        destructive: true,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;
    const NUMBERED: &'static [(&'static str, &'static str)] = partitions::MAPPED;

    fn check(&self, check: &mut Check<'_>) {
        partitions::check(self, check);
    }
}

settings!(FormatAndPartitionDisk { disk = "OSDDiskIndex", style = "OSDPartitionStyle", partitions => partitions::from_variables, erase_existing, boot_disk = "OSDGPTBootDisk", efi_volume = "TSUEFIDrive" });
