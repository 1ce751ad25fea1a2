//! `connect-to-network-folder`: makes a share available under a letter or at a mount point.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{Secret, settings};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Makes a share available under a letter or at a mount point, until the machine restarts. A folder that is made for it goes then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConnectToNetworkFolder {
    /// The UNC path of the share, such as `\\\\server\\share`.
    pub path: String,
    /// The letter, such as `Z:`, or the mount point.
    pub at: String,
    /// The account, as `domain\\user` or `%VARIABLE%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The password of the account; better a `%VARIABLE%` than the password itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

settings!(ConnectToNetworkFolder { path, at, account = "SMSConnectNetworkFolderAccount", password = "SMSConnectNetworkFolderPassword" });

impl StepOptions for ConnectToNetworkFolder {
    const TYPE: StepType = StepType {
        name: "connect-to-network-folder",
        title: "Connect To Network Folder",
        place: Place::Both,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn check(&self, check: &mut Check<'_>) {
        check.unc_path("path", &self.path);
        if self.at.trim().is_empty() {
            check.error("`at` is empty: a letter such as \"Z:\", or a mount point");
        }
        check.secret("password", self.password.as_ref());
    }
}
