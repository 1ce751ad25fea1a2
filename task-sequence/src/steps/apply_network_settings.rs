//! `apply-network-settings`: writes membership and the configuration of network adapters into the applied system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{Secret, Setting, settings};
use crate::validate::Check;
use super::{JoinKind, Place, StepOptions, StepType};

mod adapters;

pub use adapters::{Adapter, NetBios};

/// Writes membership and the configuration of network adapters into the applied system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApplyNetworkSettings {
    /// What the machine becomes a member of.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub join: Setting<JoinKind>,
    /// The workgroup.
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
    /// The DNS domain of the machine; only in Windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_domain: Option<String>,
    /// The domains that short names are looked up in, in that order; only in Windows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_suffixes: Vec<String>,
    /// The adapters; those that are not named use DHCP.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adapters: Vec<Adapter>,
}

impl StepOptions for ApplyNetworkSettings {
    const TYPE: StepType = StepType {
        name: "apply-network-settings",
        title: "Apply Network Settings",
        place: Place::Pe,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;
    const NUMBERED: &'static [(&'static str, &'static str)] = adapters::MAPPED;

    fn check(&self, check: &mut Check<'_>) {
        adapters::check(self, check);
    }
}

settings!(ApplyNetworkSettings { join = "OSDNetworkJoinType", workgroup = "OSDWorkgroupName", domain = "OSDDomainName", organizational_unit = "OSDDomainOUName", account = "OSDJoinAccount", password = "OSDJoinPassword", dns_domain = "OSDDNSDomain", dns_suffixes = "OSDDNSSuffixSearchOrder", adapters => adapters::from_variables });
