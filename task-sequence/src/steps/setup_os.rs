//! `setup-os`: makes the applied system boot, restarts into it and goes on there; then installs the management agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{settings};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Makes the applied system boot, restarts into it and goes on there; then installs the management agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SetupOs {
    /// The package of the management agent; without it, none is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_package: Option<PackageId>,
    /// Properties for the installation of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_properties: Option<String>,
}

settings!(SetupOs { client_package, client_properties = "SMSClientInstallProperties" });

impl StepOptions for SetupOs {
    const TYPE: StepType = StepType {
        name: "setup-os",
        title: "Setup Windows and ConfigMgr",
        place: Place::PeToOs,
        after_cut: AfterCut::Probe,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        self.client_package.iter().collect()
    }

    fn check(&self, check: &mut Check<'_>) {
        if self.client_properties.is_some() && self.client_package.is_none() {
            check.error("`client-properties` needs `client-package`");
        }
    }
}
