//! `restart-computer`: restarts the machine into the boot image or into the installed system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{Setting, settings, words};
use crate::time::TimeSpan;
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Restarts the machine into the boot image or into the installed system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RestartComputer {
    /// Where the machine starts next.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub target: Setting<RestartTarget>,
    /// What is shown before; 512 characters at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long the machine waits before it restarts, for the message to be read. Where absent, 10 seconds where there is a message,
    /// and 3 on unattended media.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub delay: Setting<TimeSpan>,
}

words! {
    /// Where a machine starts next.
    RestartTarget {
        /// The boot image.
        Pe = "pe" | "winpe",
        /// The installed system.
        Os = "os" | "hd",
    }
}

settings!(RestartComputer { target = "SMSRebootTarget", message = "SMSRebootMessage", delay = "SMSRebootTimeout" });

impl StepOptions for RestartComputer {
    const TYPE: StepType = StepType {
        name: "restart-computer",
        title: "Restart Computer",
        place: Place::Both,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn check(&self, check: &mut Check<'_>) {
        check.length("message", self.message.as_deref(), 512);
        if self.target.is_absent() {
            check.missing("SMSRebootTarget", "it has no `target`: write \"pe\" for the boot image or \"os\" for the installed system");
        }
    }
}
