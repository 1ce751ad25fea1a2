//! `install-updates`: installs the updates of the media in the order of their dependencies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Setting, settings, words};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Installs the updates of the media in the order of their dependencies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstallUpdates {
    /// Which updates; the required ones where absent.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub target: Setting<UpdateTarget>,
    /// The packages with the updates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<PackageId>,
}

words! {
    /// Which updates are installed.
    UpdateTarget {
        /// On Debian what installs without removing a package, on Windows all but those in the package's folder `optional`.
        Required = "required" | "mandatory",
        /// All that fit, also where packages have to go for them.
        All = "all",
        /// None.
        None = "none",
    }
}

settings!(InstallUpdates { target = "SMSInstallUpdateTarget", packages });

impl StepOptions for InstallUpdates {
    const TYPE: StepType = StepType {
        name: "install-updates",
        title: "Install Software Updates",
        place: Place::Os,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        self.packages.iter().collect()
    }

    fn check(&self, check: &mut Check<'_>) {
        let target = check.value(&self.target, "SMSInstallUpdateTarget");
        if self.packages.is_empty() && target != Some(UpdateTarget::None) {
            check.error("`packages` is empty: name the packages with updates, or say `target = \"none\"`");
        }
    }
}
