//! `prepare-os-for-capture`: generalizes the system and restarts into the boot image, or shuts down before that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Setting, settings};
use super::{Place, StepOptions, StepType};

/// Generalizes the system and restarts into the boot image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PrepareOsForCapture {
    /// Whether the activation of Windows is kept.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub keep_activation: Setting<bool>,
    /// Whether the machine is shut down instead of restarted; the capture goes on in the boot image when it is switched on again.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub shut_down: Setting<bool>,
    /// The package with Sysprep; refused, because the system's own is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sysprep_package: Option<PackageId>,
}

settings!(PrepareOsForCapture { keep_activation = "OSDKeepActivation", shut_down = "OSDShutdownPreparedOs", sysprep_package });

impl StepOptions for PrepareOsForCapture {
    const TYPE: StepType = StepType {
        name: "prepare-os-for-capture",
        title: "Prepare Windows for Capture",
        place: Place::OsToPe,
        after_cut: AfterCut::Probe,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        self.sysprep_package.iter().collect()
    }
}
