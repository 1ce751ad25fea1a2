//! Names and values: from the media, from the sequence, or from nowhere.

use crate::media::{found, media, step, with_variables};

#[test]
fn variables_and_secrets_of_the_media_fill_settings() {
    let steps = step("restart-computer", "")
        + &step(
            "join-domain-or-workgroup",
            "join = 'domain'\ndomain = 'd.example'",
        )
        + &step("restart-computer", "target = 'pe'")
        + &step("prepare-client-for-capture", "");
    let capture = step("capture-operating-system-image", "");
    let missing = found("linux", &(steps.clone() + &capture), &media());
    for part in ["no `target`", "`account` is missing", "`destination` is missing"] {
        assert!(missing.contains(part), "{missing}");
    }
    let mut media = with_variables(&[
        ("SMSRebootTarget", "os"),
        ("OSDCaptureDestination", "media:a.wim"),
    ]);
    media.secrets.insert("osdjoinaccount".into());
    let given = found("linux", &(steps + &capture), &media);
    for part in ["no `target`", "is missing"] {
        assert!(!given.contains(part), "{given}");
    }
    let output = step(
        "run-command-line",
        "command = 'x'\noutput-variable = 'OSDCaptureDestination'",
    );
    let given = found("linux", &(output + &capture), &media);
    assert!(!given.contains("is missing"), "{given}");
}

#[test]
fn the_value_of_the_media_counts_more_than_that_of_the_sequence() {
    let text = format!(
        "variables = {{ OSDComputerName = 'GOOD' }}\n{}",
        step("apply-os-settings", "")
    );
    let media = with_variables(&[("osdcomputername", "NOT_GOOD")]);
    assert!(found("linux", &text, &media).contains("`NOT_GOOD` has `_` in it"));
    assert_eq!(found("linux", &text, &crate::media::media()), "");
}

#[test]
fn a_name_that_nothing_gives_a_value_is_pointed_out() {
    let media = with_variables(&[("ComputerRoom", "12")]);
    let named = |name: &str| step("apply-os-settings", &format!("registered-user = 'room {name}'"));
    for (name, wanted) in [
        ("%ComputerRom%", "did you mean `%ComputerRoom%`?"),
        ("%Nope%", "nothing gives `%Nope%` a value"),
        (
            "%_SMSTSUserStarted%",
            "nothing gives `%_SMSTSUserStarted%` a value",
        ),
    ] {
        let said = found("linux", &named(name), &media);
        assert!(said.starts_with("warning: ") && said.contains(wanted), "{said}");
    }
    for name in [
        "%COMPUTERROOM%",
        "%_SMSTSMake%",
        "%_OSDDetectedWinDir%",
        "%_osddetectedwindrive%",
        "%OSDTimeZone%",
        "%OSDPartitions12Size%",
        "100%",
    ] {
        assert_eq!(found("linux", &named(name), &media), "", "{name}");
    }
    // A shell has percent signs of its own.
    let shell = |line: &str| step("run-command-line", &format!("command = '{line}'"));
    for line in ["date +%Y%m%d", "echo %TEMP% %ProgramFiles%"] {
        assert_eq!(found("windows", &shell(line), &media), "", "{line}");
    }
    let said = found("windows", &shell("echo %ComputerRom%"), &media);
    assert!(said.contains("did you mean `%ComputerRoom%`?"), "{said}");
}

#[test]
fn no_domain_is_joined_by_variables_before_a_capture() {
    let capture = step("restart-computer", "target = 'os'")
        + &step("prepare-os-for-capture", "")
        + &step("capture-operating-system-image", "destination = 'media:x.wim'");
    for (type_name, kind, domain) in [
        ("join-domain-or-workgroup", "OSDJoinType", "OSDJoinDomainName"),
        ("apply-network-settings", "OSDNetworkJoinType", "OSDDomainName"),
    ] {
        let of_kind = |value: &str| {
            let mut media = with_variables(&[
                (kind, value),
                (domain, "d.example"),
                ("OSDJoinAccount", "joiner"),
                ("OSDJoinWorkgroupName", "W"),
                ("OSDWorkgroupName", "W"),
            ]);
            // The password is known to the run alone.
            media.secrets.insert("Token".into());
            media
        };
        let join = step(type_name, "password = '%Token%'");
        let before = join.clone() + &capture;
        let said = found("windows", &before, &of_kind("0"));
        assert!(
            said.contains("error: ") && said.contains("joins a domain before the capture"),
            "{type_name}: {said}"
        );
        assert_eq!(found("windows", &before, &of_kind("1")), "", "{type_name}");
        assert_eq!(found("windows", &join, &of_kind("0")), "", "{type_name}");
    }
}

#[test]
fn no_updates_are_asked_for_by_a_variable_either() {
    let updates = step("install-updates", "");
    let of = |target: &str| {
        found(
            "linux",
            &updates,
            &with_variables(&[("SMSInstallUpdateTarget", target)]),
        )
    };
    assert_eq!(of("None"), "");
    assert!(of("All").contains("`packages` is empty"));
}
