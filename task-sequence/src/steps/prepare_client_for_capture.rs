//! `prepare-client-for-capture`: removes the management agent or its identity; where there is none, nothing is done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{Setting, settings, words};
use super::{Place, StepOptions, StepType};

/// Removes the management agent or its identity; where there is none, nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PrepareClientForCapture {
    /// What is removed; the identity where absent.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub treatment: Setting<ClientTreatment>,
}

words! {
    /// What is removed of a management agent.
    ClientTreatment {
        /// The agent itself.
        RemoveAgent = "remove-agent",
        /// Its identity: the agent stays, and registers anew.
        RemoveIdentity = "remove-identity",
    }
}

settings!(PrepareClientForCapture { treatment });

impl StepOptions for PrepareClientForCapture {
    const TYPE: StepType = StepType {
        name: "prepare-client-for-capture",
        title: "Prepare ConfigMgr Client for Capture",
        place: Place::Os,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;
}
