//! `auto-apply-drivers`: finds the drivers for the devices of the machine in the driver packages of the media.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Setting, settings};
use super::{Place, StepOptions, StepType};

/// Finds the drivers for the devices of the machine in the driver packages of the media.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AutoApplyDrivers {
    /// Only drivers of these categories: ids of driver packages, or classes of devices by name or GUID (`Net`, `HDC`); without it, all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Only the best driver of each device instead of all that fit; true where absent.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub best_match: Setting<bool>,
    /// Only these driver packages; without it, all of the media.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<PackageId>,
}

settings!(AutoApplyDrivers { categories = "OSDAutoApplyDriverCategoryList", best_match = "OSDAutoApplyDriverBestMatch", packages });

impl StepOptions for AutoApplyDrivers {
    const TYPE: StepType = StepType {
        name: "auto-apply-drivers",
        title: "Auto Apply Drivers",
        place: Place::Pe,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        self.packages.iter().collect()
    }
}
