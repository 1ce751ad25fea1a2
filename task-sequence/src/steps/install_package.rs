//! `install-package`: runs a program of a package.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Setting, settings};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Runs a program of a package.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstallPackage {
    /// The package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageId>,
    /// The program of the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The variables PREFIX001, PREFIX002, … name packages and programs as `package:program`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_variable: Option<String>,
    /// Whether the next one is installed when one fails; with `base-variable`.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub continue_with_next: Setting<bool>,
}

settings!(InstallPackage { package, program, base_variable, continue_with_next });

impl StepOptions for InstallPackage {
    const TYPE: StepType = StepType {
        name: "install-package",
        title: "Install Package",
        place: Place::Os,
        after_cut: AfterCut::Stop,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        self.package.iter().collect()
    }

    fn check(&self, check: &mut Check<'_>) {
        check.list_or_base("package", self.package.is_none(), self.base_variable.as_deref());
        if self.package.is_some() && self.base_variable.is_some() {
            check.error("`package` and `base-variable` exclude each other");
        }
        if self.package.is_some() && self.program.is_none() {
            check.error("`program` is missing: the program of the package to run");
        }
    }
}
