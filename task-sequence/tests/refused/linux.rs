//! What a Linux could not follow.

use crate::media::{found, media, step, with_variables};

#[test]
fn a_linux_is_not_joined_to_a_domain_by_variables_either() {
    let variables = [
        ("OSDNetworkJoinType", "0"),
        ("OSDDomainName", "d.example"),
        ("OSDJoinAccount", "joiner"),
    ];
    let text = step("apply-network-settings", "");
    let said = found("linux", &text, &with_variables(&variables));
    assert!(said.contains("while it runs"), "{said}");
    let workgroup = [("OSDNetworkJoinType", "1"), ("OSDWorkgroupName", "W")];
    assert_eq!(found("linux", &text, &with_variables(&workgroup)), "");
}

#[test]
fn settings_that_a_linux_could_not_follow() {
    let said = |settings: &str, variables: &[(&str, &str)]| {
        found(
            "linux",
            &step("apply-os-settings", settings),
            &with_variables(variables),
        )
    };
    let enabled = "administrator = 'enabled'";
    assert!(said(enabled, &[]).contains("needs `administrator-password`"));
    let mut media = media();
    media.secrets.insert("OSDLocalAdminPassword".into());
    assert_eq!(found("linux", &step("apply-os-settings", enabled), &media), "");
    assert_eq!(said("administrator = 'disabled'", &[]), "");

    let unknown = [("OSDWindowsSettingsInputLocale", "0409:00140C00")];
    assert!(said("", &unknown).contains("keyboard 00140C00"));
    assert_eq!(said("keyboard = 'us'", &unknown), "");
    assert_eq!(said("input-locale = '0409:00000409'", &[]), "");
}
