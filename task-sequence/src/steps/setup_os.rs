//! `setup-os`: makes the applied system boot, restarts into it and goes on there; then installs the management agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Setting, settings, words};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

words! {
    /// Which boot files of a Windows are copied, by the certificate that they are signed with.
    BootFiles {
        /// Those that the firmware starts.
        Auto = "auto",
        /// `\Windows\Boot\EFI`: Microsoft Windows Production PCA 2011.
        Pca2011 = "2011",
        /// `\Windows\Boot\EFI_EX`: Windows UEFI CA 2023.
        Ca2023 = "2023",
    }
}

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
    /// Which boot files a Windows starts from on a machine with UEFI. By default those that the firmware starts: of 2011, or of
    /// 2023 where it does not trust the others any more.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub boot_files: Setting<BootFiles>,
}

settings!(SetupOs { client_package, client_properties = "SMSClientInstallProperties", boot_files });

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
