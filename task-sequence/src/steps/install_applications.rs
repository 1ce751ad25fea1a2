//! `install-applications`: installs applications in the given order, with what they depend on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Setting, settings};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Installs applications in the given order, with what they depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstallApplications {
    /// The applications, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<PackageId>,
    /// The variables PREFIX01, PREFIX02, … name further applications.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_variable: Option<String>,
    /// Whether the next one is installed when one fails.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub continue_with_next: Setting<bool>,
}

settings!(InstallApplications { applications, base_variable, continue_with_next });

impl StepOptions for InstallApplications {
    const TYPE: StepType = StepType {
        name: "install-applications",
        title: "Install Application",
        place: Place::Os,
        after_cut: AfterCut::Probe,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        self.applications.iter().collect()
    }

    fn check(&self, check: &mut Check<'_>) {
        check.list_or_base("applications", self.applications.is_empty(), self.base_variable.as_deref());
    }
}
