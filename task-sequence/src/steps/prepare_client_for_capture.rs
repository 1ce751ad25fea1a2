//! `prepare-client-for-capture`: removes the management agent or its identity; where there is none, nothing is done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{Setting, settings, words};
use super::{Place, StepOptions, StepType};

/// Removes the management agent or its identity; where there is none, nothing is done. It knows the ConfigMgr client of a Windows
/// and, on Linux, the identities of Salt, Puppet and Chef; for another agent, the client package on the media (the one that
/// `client-package` of `setup-os` names) has a program `prepare` or `remove`, which is run.
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
        /// The agent itself: the ConfigMgr client, and on every system what the program `remove` of the client package removes.
        /// A Linux that has an agent, or gets a client package, is refused without such a program.
        RemoveAgent = "remove-agent",
        /// Its identity: the agent stays, and registers anew. The program `prepare` of the client package is run, where there is one.
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
