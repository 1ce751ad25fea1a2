//! `apply-driver-package`: makes all drivers of a package available to the applied system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Setting, settings};
use super::{Place, StepOptions, StepType};

/// Makes all drivers of a package available to the applied system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApplyDriverPackage {
    /// The driver package.
    pub package: PackageId,
    /// Whether drivers without a signature are accepted.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub allow_unsigned: Setting<bool>,
}

settings!(ApplyDriverPackage { package, allow_unsigned });

impl StepOptions for ApplyDriverPackage {
    const TYPE: StepType = StepType {
        name: "apply-driver-package",
        title: "Apply Driver Package",
        place: Place::Pe,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        vec![&self.package]
    }
}
