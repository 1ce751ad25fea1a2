//! `apply-operating-system-image`: applies the image of an operating system onto its volumes; everything on them is deleted first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Setting, settings};
use crate::validate::Check;
use super::{Place, StepOptions, StepType, VolumeSelector};

/// Applies the image of an operating system; everything on the volume is deleted first. On Linux the volume is the root,
/// all volumes with a mount point are mounted inside it, and the image is spread over them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApplyOperatingSystemImage {
    /// The package with the image.
    pub package: PackageId,
    /// Which image of the file, counted from 1; 1 where absent.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub index: Setting<u32>,
    /// Applies all images of the file: each to the mount point that it was captured from, and those without one onto
    /// the next free volumes in order.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub all_volumes: Setting<bool>,
    /// The volume; without it, the next free one.
    #[serde(default, skip_serializing_if = "VolumeSelector::is_next_free")]
    pub destination: VolumeSelector,
    /// The package with the answer file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_package: Option<PackageId>,
    /// The path of the answer file in that package; `%VARIABLES%` in it are expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_file: Option<String>,
}

settings!(ApplyOperatingSystemImage { package, index = "OSDImageIndex", all_volumes, destination = "OSDTargetSystemDrive", answer_package, answer_file = "OSDConfigFileName" });

impl StepOptions for ApplyOperatingSystemImage {
    const TYPE: StepType = StepType {
        name: "apply-operating-system-image",
        title: "Apply Operating System Image",
        place: Place::Pe,
        after_cut: AfterCut::Repeat,
        destructive: true,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        std::iter::once(&self.package).chain(&self.answer_package).collect()
    }

    fn check(&self, check: &mut Check<'_>) {
        check.image(&self.package, &self.index, self.all_volumes.get() == Some(&true));
        check.volume(&self.destination);
        if self.answer_package.is_some() && self.answer_file.is_none() {
            check.missing("OSDConfigFileName", "`answer-package` needs `answer-file`: the path of the answer file in the package");
        }
    }
}
