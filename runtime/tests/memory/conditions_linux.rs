//! Conditions on what a Linux machine is and has, in the boot image and in the installed system.

use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;
use runtime::platform::hardware::Hardware;
use runtime::platform::smbios::Smbios;

use crate::driver::run_to_end;
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::frames::{command, said, with_first};

/// By the condition, whether it holds in the boot image and in the installed system.
const CONDITIONS: [(&str, bool, bool); 31] = [
    ("software = 'hello', version = { equals = '1.0' }", false, true),
    ("software = 'hel*', version = { greater = '0.9' }", false, true),
    ("software = 'hello', version = { greater = '1.0' }", false, false),
    (
        "software = 'hello', version = { greater = '1.0~rc1' }",
        false,
        true,
    ),
    ("software = 'hello', version = '0:1.0-0'", false, true),
    ("software = 'nothing'", false, false),
    ("software = 'hello', exists = false", true, false),
    ("operating-system = 'Debian*'", false, true),
    (
        "operating-system = 'Debian*', version = { greater = 12 }",
        false,
        true,
    ),
    (
        "operating-system = 'Debian*', version = { equals = '12' }",
        false,
        false,
    ),
    ("operating-system = 'Windows*'", false, false),
    ("operating-system = '', language = 'nl-*'", false, true),
    ("operating-system = '', language = 'nl-NL'", false, true),
    ("operating-system = '', language = 'en-*'", false, false),
    ("operating-system = '', architecture = 'x86-64'", true, true),
    ("operating-system = '', architecture = 'arm64'", false, false),
    (
        "query = \"select * from Win32_ComputerSystem where Model like 'Model T%'\"",
        true,
        true,
    ),
    (
        "query = \"select * from Win32_ComputerSystem where Model like 'Model X%'\"",
        false,
        false,
    ),
    ("folder = '/etc/ssh'", false, true),
    ("folder = '/etc/hostname'", false, false),
    ("folder = '/etc/ssh', modified-before = 2026-01-31", false, true),
    ("file = '/etc/hostname'", false, true),
    ("file = '/etc/ssh'", false, false),
    (
        "file = '/etc/hostname', modified-before = 1970-01-02",
        false,
        true,
    ),
    (
        "file = '/etc/hostname', modified-after = 1970-01-02",
        false,
        false,
    ),
    ("registry = 'HKLM\\SOFTWARE\\Example'", false, false),
    ("registry = 'HKLM\\SOFTWARE\\Example', exists = false", true, true),
    ("firmware = 'uefi'", true, true),
    ("firmware = 'bios'", false, false),
    ("memory = '2 GB'", true, true),
    ("memory = '2049 MB'", false, false),
];

/// A deployment with a command under each of the conditions, before it and behind it, and the numbers of those that ran.
fn held(sequence: &str, conditions: &[&str], files: &[(&str, &str)]) -> Vec<String> {
    let steps = |place: &str| -> String {
        let step = |(number, when): (usize, &&str)| {
            command(&format!("say {place}{number}"), &format!("when = {{ {when} }}"))
        };
        conditions.iter().enumerate().map(step).collect()
    };
    let text = with_first(&format!("{sequence}\n{}", steps("os")), &steps("pe"));
    let mut media = MediaBuilder::new(MediaLayout::Iso, &text);
    media.put_into_reference(files);
    let mut world = machine(Firmware::Uefi, &media);
    world.hardware = Some(Hardware {
        firmware: Smbios {
            model: "Model T 14".into(),
            ..Smbios::default()
        },
        ..Hardware::default()
    });
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    said(&world)
}

const DEBIAN: (&str, &str) = ("etc/os-release", "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\n");

#[test]
fn conditions_look_at_the_system_that_runs() {
    let sequence = deploy().replace("\"C.UTF-8\"", "\"nl-NL\"");
    let conditions = CONDITIONS.map(|(condition, ..)| condition);
    let held = held(&sequence, &conditions, &[DEBIAN]);
    for (number, (condition, in_pe, in_os)) in CONDITIONS.iter().enumerate() {
        for (place, expected) in [("pe", in_pe), ("os", in_os)] {
            let holds = held.contains(&format!("{place}{number}"));
            assert_eq!(holds, *expected, "{condition} in {place}");
        }
    }
}

/// A reference that was installed by hand has its language where its distribution puts it.
#[test]
fn the_language_is_that_of_the_reference_where_no_step_sets_one() {
    let sequence = deploy().replace("  system-locale = \"C.UTF-8\"\n", "");
    for (file, text, language) in [
        ("etc/default/locale", "LANG=\"de_DE@euro\"\n", "de-DE"),
        (
            "etc/locale.conf",
            "LC_TIME=en_GB.UTF-8\nLANG=pt_BR.UTF-8\n",
            "pt-BR",
        ),
    ] {
        let condition = format!("operating-system = '', language = '{language}'");
        let held = held(&sequence, &[&condition], &[DEBIAN, (file, text)]);
        assert_eq!(held, ["os0"], "{file}");
    }
}

/// A version without a release is met by every release, and rpm's order is another than dpkg's: there, letters come last.
#[test]
fn rpm_packages_are_software_with_rpms_order() {
    let rpm = ("usr/bin/rpm", "bash 5.2.26-4.fc40\nglibc 2:2.39-1a\n");
    let conditions = [
        "software = 'bash', version = '5.2.26'",
        "software = 'bash', version = { greater = '5.2.26-3.fc40' }",
        "software = 'bash', version = { less = '5.2.27~rc1' }",
        "software = 'glibc', version = { less = '2:2.39-1.1' }",
        "software = 'glibc', version = { greater = '3.0' }",
        "software = 'bash', version = { greater = '5.2.26' }",
        "software = 'nothing'",
    ];
    let held = held(&deploy(), &conditions, &[DEBIAN, rpm]);
    assert_eq!(held, ["os0", "os1", "os2", "os3", "os4"]);
}
