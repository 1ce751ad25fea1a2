//! `run-task-sequence`: runs another sequence of the same media with the same variables.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{settings};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Runs another sequence of the same media with the same variables.
///
/// The steps of the other sequence take the place of this one, as a group with its name and condition. The variables that the other
/// one declares are set from the beginning of the run, unless this sequence declares them too. A sequence that others run and that
/// is not to be in the menu says `hidden = true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunTaskSequence {
    /// The id of the other sequence in `media.toml`.
    pub sequence: String,
}

settings!(RunTaskSequence { sequence });

impl StepOptions for RunTaskSequence {
    const TYPE: StepType = StepType {
        name: "run-task-sequence",
        title: "Run Task Sequence",
        place: Place::Both,
        after_cut: AfterCut::Probe,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn check(&self, check: &mut Check<'_>) {
        check.sequence(&self.sequence);
    }
}
