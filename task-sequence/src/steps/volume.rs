//! How a sequence names a volume that receives an image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{Setting, settings};

/// Which volume is meant: one of the ways, or none of them for the next volume without an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct VolumeSelector {
    /// The next formatted volume that has no image yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_free: Option<bool>,
    /// The number of the disk, counted from 0; with `partition`.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub disk: Setting<u32>,
    /// The number of the partition in the table, counted from 1 (on an MBR disk logical ones from 5); with `disk`.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub partition: Setting<u32>,
    /// The name of the variable that contains the volume: the `variable` of a partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The same with a variable in it (`%OSDISK%`): volumes get their identifiers when the disk is partitioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
}

settings!(VolumeSelector {
    next_free,
    disk,
    partition,
    variable,
    volume
});

impl VolumeSelector {
    /// Whether nothing but "the next free one" is said.
    pub fn is_next_free(&self) -> bool {
        *self
            == Self {
                next_free: self.next_free,
                ..Self::default()
            }
    }

    /// What contradicts itself in it.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        let by_number = !self.disk.is_absent() || !self.partition.is_absent();
        let ways = [
            self.next_free == Some(true),
            by_number,
            self.variable.is_some(),
            self.volume.is_some(),
        ];
        if ways.into_iter().filter(|given| *given).count() > 1 {
            return Some("it names a volume in more than one way");
        }
        if self.disk.is_absent() != self.partition.is_absent() {
            return Some("`disk` and `partition` belong together");
        }
        (self.partition.get() == Some(&0)).then_some("partitions are counted from 1")
    }
}

impl crate::setting::FillFromVariable for VolumeSelector {
    fn fill(&mut self, text: &str) -> Result<(), String> {
        if self.is_next_free() {
            *self = Self {
                volume: Some(text.to_owned()),
                ..Self::default()
            };
        }
        Ok(())
    }
}
