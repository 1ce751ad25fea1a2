//! `capture-operating-system-image`: captures the volumes of the machine into one WIM.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{Secret, Setting, settings, words};
use crate::validate::Check;
use super::{CaptureDestination, Place, StepOptions, StepType};

/// Captures the volumes of the machine into one WIM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CaptureOperatingSystemImage {
    /// Where the image goes. What follows `media:` lies in the folder `captures` of the data partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<CaptureDestination>,
    /// The account, as `domain\\user` or `%VARIABLE%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The password of the account; better a `%VARIABLE%` than the password itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The name of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_name: Option<String>,
    /// What the image is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_description: Option<String>,
    /// The version of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_version: Option<String>,
    /// Who made the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_creator: Option<String>,
    /// How the image is compressed; XPRESS where absent.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub compression: Setting<Compression>,
    /// The folder of the system on its volume; not looked at, because the system is found without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_root: Option<String>,
    /// Further patterns that are not captured: `/home/*` from the root of the system, `*.bak` anywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// An installation that the run has captured already may be captured again. Captures of earlier runs are not known: nothing on
    /// the machine tells of them.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub allow_repeated_capture: Setting<bool>,
}

words! {
    /// How an image is compressed.
    Compression {
        /// Not at all.
        None = "none",
        /// Quickly.
        Xpress = "xpress",
        /// Better, and several times slower.
        Lzx = "lzx",
        /// Best and slowest; solid, and not readable for every tool.
        Lzms = "lzms",
    }
}

settings!(CaptureOperatingSystemImage { destination = "OSDCaptureDestination", account = "OSDCaptureAccount", password = "OSDCaptureAccountPassword", image_name, image_description = "OSDImageDescription", image_version = "OSDImageVersion", image_creator = "OSDImageCreator", compression, system_root = "OSDTargetSystemRoot", exclude, allow_repeated_capture });

impl StepOptions for CaptureOperatingSystemImage {
    const TYPE: StepType = StepType {
        name: "capture-operating-system-image",
        title: "Capture Operating System Image",
        place: Place::Pe,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn check(&self, check: &mut Check<'_>) {
        if self.destination.is_none() {
            check.missing("OSDCaptureDestination", "`destination` is missing: where the image goes");
        }
        if let Some(path) = self.destination.as_ref().map(CaptureDestination::path) {
            check.wim_path(path);
        }
        check.secret("password", self.password.as_ref());
    }
}
