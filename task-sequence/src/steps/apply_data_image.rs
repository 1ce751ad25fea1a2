//! `apply-data-image`: applies an image with data onto a volume.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Setting, settings};
use crate::validate::Check;
use super::{Place, StepOptions, StepType, VolumeSelector};

/// Applies an image with data onto a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApplyDataImage {
    /// The package with the image.
    pub package: PackageId,
    /// Which image of the file, counted from 1; 1 where absent.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub index: Setting<u32>,
    /// Applies all images of the file: each to the volume with the mount point that it was captured from, and those
    /// without one onto the next free volumes in order.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub all_volumes: Setting<bool>,
    /// The volume; without it, the next free one.
    #[serde(default, skip_serializing_if = "VolumeSelector::is_next_free")]
    pub destination: VolumeSelector,
    /// Whether everything on the volume is deleted first; true where absent.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub wipe: Setting<bool>,
}

settings!(ApplyDataImage { package, index = "OSDDataImageIndex", all_volumes, destination, wipe = "OSDWipeDestinationPartition" });

impl StepOptions for ApplyDataImage {
    const TYPE: StepType = StepType {
        name: "apply-data-image",
        title: "Apply Data Image",
        place: Place::Pe,
        after_cut: AfterCut::Repeat,
        destructive: true,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        vec![&self.package]
    }

    fn check(&self, check: &mut Check<'_>) {
        check.image(&self.package, &self.index, self.all_volumes.get() == Some(&true));
        check.volume(&self.destination);
    }
}
