//! `join-domain-or-workgroup`: makes the running system a member of a workgroup or a domain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{Secret, Setting, settings};
use crate::validate::{Check, Join};
use super::{JoinKind, Place, StepOptions, StepType};

/// Makes the running system a member of a workgroup or a domain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct JoinDomainOrWorkgroup {
    /// What the machine becomes a member of.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub join: Setting<JoinKind>,
    /// The workgroup; on a Linux that of its Samba: without Samba, and in no domain, the step is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workgroup: Option<String>,
    /// The domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The LDAP name of the organizational unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// The account, as `domain\\user` or `%VARIABLE%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The password of the account; better a `%VARIABLE%` than the password itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Whether the restart afterwards is left to a later step.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub skip_restart: Setting<bool>,
}

settings!(JoinDomainOrWorkgroup { join = "OSDJoinType", workgroup = "OSDJoinWorkgroupName", domain = "OSDJoinDomainName", organizational_unit = "OSDJoinDomainOUName", account = "OSDJoinAccount", password = "OSDJoinPassword", skip_restart = "OSDJoinSkipReboot" });

impl StepOptions for JoinDomainOrWorkgroup {
    const TYPE: StepType = StepType {
        name: "join-domain-or-workgroup",
        title: "Join Domain or Workgroup",
        place: Place::Os,
        after_cut: AfterCut::Probe,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn check(&self, check: &mut Check<'_>) {
        check.join(&Join {
            kind: &self.join,
            kind_variable: "OSDJoinType",
            workgroup: self.workgroup.is_some() || check.is_given("OSDJoinWorkgroupName"),
            domain: self.domain.is_some() || check.is_given("OSDJoinDomainName"),
            account: self.account.is_some() || check.is_given("OSDJoinAccount"),
            unit: self.organizational_unit.as_deref(),
        });
        check.workgroup(self.workgroup.as_deref(), "OSDJoinWorkgroupName");
        check.secret("password", self.password.as_ref());
    }
}
