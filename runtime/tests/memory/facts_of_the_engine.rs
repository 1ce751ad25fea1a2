//! The variables that the engine sets, as the steps see them; and rules on the machine.

use media_format::manifest::MediaLayout;
use runtime::platform::hardware::{Adapter, Hardware};
use runtime::platform::smbios::Smbios;
use runtime::platform::{Bus, Firmware};

use crate::driver::{Report, run_to_end};
use crate::fixture::{MediaBuilder, machine};
use crate::frames::{command, deploy_then, said, with_first};
use crate::secrets::absent_in_world;
use crate::world::World;

fn computer() -> Hardware {
    let adapter = |mac: &str| Adapter {
        mac: mac.into(),
        ..Adapter::default()
    };
    Hardware {
        computer_name: "bench".into(),
        adapters: vec![adapter("52:54:00:AA:BB:01"), adapter("52:54:00:AA:BB:02")],
        addresses: vec!["192.0.2.5".into(), "192.0.2.6".into()],
        gateways: vec!["192.0.2.1".into()],
        firmware: Smbios {
            make: "Example Computers".into(),
            model: "Model T 14".into(),
            serial: "S-0001".into(),
            asset_tag: "A-0002".into(),
            uuid: "4C4C4544-0001".into(),
            ..Smbios::default()
        },
        ..Hardware::default()
    }
}

fn say(line: &str) -> String {
    command(&format!("say {line}"), "name = \"Say it\"")
}

/// A deployment with steps before it, in the boot image, and behind it, in the installed system.
fn media(layout: MediaLayout, in_pe: &str, in_os: &str) -> MediaBuilder {
    let mut media = MediaBuilder::new(layout, &with_first(&deploy_then(in_os), in_pe));
    media.organization = "Example Organization".into();
    media
}

fn run_on(firmware: Firmware, media: &MediaBuilder) -> (World, Report) {
    let mut world = machine(firmware, media);
    world.hardware = Some(computer());
    run_to_end(world)
}

const MACHINE: [(&str, &str); 18] = [
    ("_SMSTSBootUEFI", "true"),
    ("_TSSecureBoot", "Enabled"),
    ("_SMSTSMediaType", "FullMedia"),
    ("_SMSTSLaunchMode", "CD"),
    ("_SMSTSCurrentActionName", "Say it"),
    ("_SMSTSMachineName", "bench"),
    ("_SMSTSMake", "Example Computers"),
    ("_SMSTSModel", "Model T 14"),
    ("_SMSTSSerialNumber", "S-0001"),
    ("_SMSTSAssetTag", "A-0002"),
    ("_SMSTSUUID", "4C4C4544-0001"),
    ("_SMSTSMacAddresses", "52:54:00:AA:BB:01,52:54:00:AA:BB:02"),
    ("_SMSTSIPAddresses", "192.0.2.5,192.0.2.6"),
    ("_SMSTSDefaultGateways", "192.0.2.1"),
    ("_SMSTSPackageID", "main"),
    ("_SMSTSPackageName", "Deploy a Linux image"),
    ("_SMSTSBootImageID", "memory"),
    ("_SMSTSOrgName", "Example Organization"),
];

#[test]
fn the_variables_of_the_engine_are_known_in_the_boot_image_and_in_the_system() {
    let mut steps = String::new();
    for (name, _) in MACHINE {
        steps += &say(&format!("{name}=%{name}%"));
    }
    let place = say("place=%_SMSTSInWinPE%");
    let steps = steps + &place;
    let (world, report) = run_on(Firmware::Uefi, &media(MediaLayout::Iso, &steps, &steps));
    report.assert_succeeded();
    let said = said(&world);
    let expected = MACHINE.map(|(name, value)| format!("{name}={value}"));
    let count = MACHINE.len();
    assert_eq!(said[..count], expected);
    assert_eq!(said[count], "place=true");
    assert_eq!(said[count + 1..=2 * count], expected);
    assert_eq!(said[2 * count + 1], "place=false");
}

#[test]
fn the_firmware_and_what_carries_the_media_are_told_apart() {
    let step = say("%_SMSTSBootUEFI% %_TSSecureBoot% %_SMSTSLaunchMode%");
    for (firmware, layout, bus, device, expected) in [
        (
            Firmware::Uefi,
            MediaLayout::Iso,
            Bus::Ata,
            "sr0",
            "true Enabled CD",
        ),
        (Firmware::Bios, MediaLayout::Iso, Bus::Ata, "sr0", "false NA CD"),
        (
            Firmware::Uefi,
            MediaLayout::Usb,
            Bus::Usb,
            "sdz",
            "true Enabled UFD",
        ),
        // An ISO that was written to a stick, and a drive for discs that is attached by USB.
        (
            Firmware::Uefi,
            MediaLayout::Iso,
            Bus::Usb,
            "sdz",
            "true Enabled UFD",
        ),
        (
            Firmware::Uefi,
            MediaLayout::Iso,
            Bus::Usb,
            "sr0",
            "true Enabled CD",
        ),
    ] {
        let mut world = machine(firmware, &media(layout, &step, ""));
        (world.drives[1].bus, world.drives[1].path) = (bus, format!("/dev/{device}").into());
        let (world, report) = run_to_end(world);
        report.assert_succeeded();
        assert_eq!(said(&world), [expected], "{layout:?} on {device}");
        let started_by = match firmware {
            Firmware::Uefi => "the machine was started by UEFI with Secure Boot",
            Firmware::Bios => "the machine was started by a BIOS",
        };
        assert!(report.log.contains(started_by), "{}", report.log);
    }
}

#[test]
fn a_skipped_step_leaves_what_is_known_of_the_last_one() {
    let fails = "[[steps]]\nname = \"Fails\"\ntype = \"run-command-line\"\ncommand = \"exit 5\"\n\
                 continue-on-error = true\n";
    // One by its condition, one because it finds nothing to do.
    let skipped = "[[steps]]\nname = \"Left out\"\ntype = \"run-command-line\"\ncommand = \"exit 6\"\n\
                   when = { firmware = \"bios\" }\n\
                   [[steps]]\nname = \"Nothing to do\"\ntype = \"prepare-client-for-capture\"\n";
    let last = "%_SMSTSLastActionName% %_SMSTSLastActionRetCode% %_SMSTSLastActionSucceeded%";
    let steps = format!("{fails}{skipped}{}{}", say(last), say(last));
    let (world, report) = run_on(Firmware::Uefi, &media(MediaLayout::Iso, "", &steps));
    report.assert_succeeded();
    assert_eq!(
        report
            .trace()
            .iter()
            .filter(|line| line.ends_with(": skipped"))
            .count(),
        // The template's own restart, too.
        3,
        "{:?}",
        report.trace()
    );
    assert_eq!(said(&world), ["Fails 5 false", "Say it 0 true"]);
}

/// By the rule's conditions, whether it fits the computer.
const RULES: [(&str, bool); 17] = [
    ("make = \"Example*\"", true),
    ("make = \"EXAMPLE COMPUTERS\"", true),
    ("make = \"Example\"", false),
    ("model = \"Model ? 14\"", true),
    ("model = \"Model ? 15\"", false),
    ("make = \"Example*\", model = \"Model*\"", true),
    ("make = \"Other*\", model = \"Model*\"", false),
    ("make = \"Example*\", model = \"Other*\"", false),
    ("computer = \"s-0001\"", true),
    ("computer = \"A-0002\"", true),
    ("computer = \"4c4c4544-0001\"", true),
    ("computer = \"52:54:00:aa:bb:02\"", true),
    ("computer = \"S-000\"", false),
    ("make = \"Other*\", computer = \"S-0001\"", false),
    ("when = { firmware = \"uefi\" }", true),
    ("when = { firmware = \"bios\" }, make = \"Example*\"", false),
    ("make = \"%Maker%*\"", true),
];

#[test]
fn rules_set_variables_on_the_machines_that_they_fit() {
    let rules = RULES.iter().enumerate().map(|(number, (condition, _))| {
        format!("{{ {condition}, variables = {{ R{number} = \"{number}\", Last = \"R{number}\" }} }}")
    });
    let rules: Vec<String> = rules.collect();
    let step = format!(
        "[[steps]]\ntype = \"set-variables\"\nvariables = {{ Last = \"none\", Maker = \"Example\" }}\nrules = [{}]\n",
        rules.join(", ")
    );
    // A rule of the step is read before its own variables are set.
    let maker = "[[steps]]\ntype = \"set-variables\"\nvariables = { Maker = \"Example\" }\n";
    let shown: String = (0..RULES.len())
        .map(|number| say(&format!("%R{number}%")))
        .collect();
    let steps = format!("{maker}{step}{shown}{}", say("%Last%"));
    let (world, report) = run_on(Firmware::Uefi, &media(MediaLayout::Iso, &steps, ""));
    report.assert_succeeded();
    let said = said(&world);
    for (number, (condition, fits)) in RULES.iter().enumerate() {
        let unknown = format!("%R{number}%");
        let expected = if *fits { number.to_string() } else { unknown };
        assert_eq!(said[number], expected, "{condition}");
    }
    // All rules that fit are applied, in their order.
    assert_eq!(said[RULES.len()], "R16");
}

#[test]
fn a_secret_of_a_rule_survives_a_restart_and_is_shown_nowhere() {
    let canary = crate::fixture::CAPTURE_CANARY;
    let set = "[[steps]]\ntype = \"set-variables\"\nvariables = { One = \"1\" }\nrules = [\n\
               { make = \"Other*\", variables = { Two = \"2\", Three = \"3\" } },\n\
               { make = \"Example*\", variables = { Four = \"4\", Header = { value = \"Bearer %Token%\", secret = true } } },\n]\n";
    let media = media(MediaLayout::Iso, set, &say("%Header%")).secret("Token", canary);
    let (world, report) = run_on(Firmware::Uefi, &media);
    report.assert_succeeded();
    assert_eq!(said(&world), [format!("Bearer {canary}")]);
    absent_in_world(&world, &report);
}
