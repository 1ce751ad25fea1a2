//! `apply-os-settings`: writes names, licensing, administrator, time zone and languages into the applied system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::setting::{Secret, Setting, settings, words};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Writes names, licensing, administrator, time zone and languages into the applied system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApplyOsSettings {
    /// The name of the machine; 15 characters at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer_name: Option<String>,
    /// The registered user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_user: Option<String>,
    /// The registered organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_organization: Option<String>,
    /// Five groups of five with hyphens, or an encoded volume key; only in Windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_key: Option<Secret>,
    /// How a server is licensed; only in Windows.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub licensing: Setting<Licensing>,
    /// How many connections a server is licensed for; with `per-server`.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub license_connections: Setting<u32>,
    /// What becomes of the built-in administrator (Linux: root).
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub administrator: Setting<AdministratorState>,
    /// Whether the administrator gets a random password that nobody knows.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub random_administrator_password: Setting<bool>,
    /// The administrator's password; better a `%VARIABLE%` than the password itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrator_password: Option<Secret>,
    /// The time zone, in the spelling of the operating system or of the tz database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The input language, such as `en-US` or, with the layout of the keyboard, `0409:00000409`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_locale: Option<String>,
    /// The language of programs without Unicode; on Linux the locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_locale: Option<String>,
    /// The language of the user interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ui_language: Option<String>,
    /// The language of what is not translated; only in Windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ui_language_fallback: Option<String>,
    /// The formats of dates, times and numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_locale: Option<String>,
    /// The layout of the keyboard, such as `us` or `nl`; only in Linux, see `input-locale`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyboard: Option<String>,
}

words! {
    /// How a Windows server is licensed.
    Licensing {
        /// For each device or user.
        PerSeat = "per-seat" | "perseat",
        /// For a number of connections to this server.
        PerServer = "per-server" | "perserver",
        /// Not at all.
        None = "none",
    }
}

words! {
    /// What becomes of the built-in administrator.
    AdministratorState {
        /// The account is enabled.
        Enabled = "enabled",
        /// The account is disabled.
        Disabled = "disabled",
    }
}

settings!(ApplyOsSettings { computer_name = "OSDComputerName", registered_user = "OSDRegisteredUserName", registered_organization = "OSDRegisteredOrgName", product_key = "OSDProductKey", licensing = "OSDServerLicenseMode", license_connections = "OSDServerLicenseConnectionLimit", administrator, random_administrator_password = "OSDRandomAdminPassword", administrator_password = "OSDLocalAdminPassword", time_zone = "OSDTimeZone", input_locale = "OSDWindowsSettingsInputLocale", system_locale = "OSDWindowsSettingsSystemLocale", ui_language = "OSDWindowsSettingsUILanguage", ui_language_fallback = "OSDWindowsSettingsUILanguageFallback", user_locale = "OSDWindowsSettingsUserLocale", keyboard });

impl StepOptions for ApplyOsSettings {
    const TYPE: StepType = StepType {
        name: "apply-os-settings",
        title: "Apply Windows Settings",
        place: Place::Pe,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn check(&self, check: &mut Check<'_>) {
        check.computer_name(self.computer_name.as_deref());
        check.product_key(self.product_key.as_ref());
        if self.licensing.get() == Some(&Licensing::PerServer) && self.license_connections.is_absent() {
            check.missing("OSDServerLicenseConnectionLimit", "`licensing = \"per-server\"` needs `license-connections`");
        }
        if self.random_administrator_password.get() == Some(&true) && self.administrator_password.is_some() {
            check.error("`administrator-password` and `random-administrator-password` exclude each other");
        }
        if self.random_administrator_password.get() == Some(&true)
            && self.administrator.get() == Some(&AdministratorState::Enabled)
        {
            check.error(
                "`random-administrator-password` is for a disabled account: nobody could log on to an enabled one",
            );
        }
        check.secret("administrator-password", self.administrator_password.as_ref());
    }
}
