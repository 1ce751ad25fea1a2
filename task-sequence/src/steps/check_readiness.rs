//! `check-readiness`: ends the sequence, before anything is changed, on a machine that does not suffice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Firmware;
use crate::model::AfterCut;
use crate::setting::{Setting, settings, words};
use crate::size::Size;
use crate::setting::has_variable;
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Ends the sequence, before anything is changed, on a machine that does not suffice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CheckReadiness {
    /// The machine has at least this much installed memory.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub memory: Setting<Size>,
    /// The processor runs at this many MHz at least.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub processor_speed: Setting<u32>,
    /// The machine has at least this many cores.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub processor_cores: Setting<u32>,
    /// The disk is at least this large: the one that the sequence partitions, or that has the system to capture.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub disk: Setting<Size>,
    /// The volume of the system has at least this much free space. Before the sequence has applied one, that is not judged, and the log says so.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub free_space: Setting<Size>,
    /// The machine was started by this kind of firmware.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub firmware: Setting<Firmware>,
    /// The machine does not run on its battery.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub power: Setting<bool>,
    /// The machine has a network connection.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub network: Setting<NetworkNeed>,
    /// The machine has an enabled TPM of this version or a later one, such as `2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm: Option<String>,
}

words! {
    /// Which network connection is needed.
    NetworkNeed {
        /// Any.
        Any = "any",
        /// One by wire.
        Wired = "wired",
    }
}

settings!(CheckReadiness { memory, processor_speed, processor_cores, disk, free_space, firmware, power, network, tpm });

impl StepOptions for CheckReadiness {
    const TYPE: StepType = StepType {
        name: "check-readiness",
        title: "Check Readiness",
        place: Place::Both,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn check(&self, check: &mut Check<'_>) {
        if *self == Self::default() {
            check.error("it checks nothing: give at least one requirement");
        }
        if let Some(version) = &self.tpm
            && !has_variable(version)
            && version.trim().parse::<f64>().is_err()
        {
            check.error(format!(
                "`tpm`: `{version}` is no version: write \"2.0\" or \"1.2\""
            ));
        }
    }
}
