//! Extended, logical and hidden partitions: numbered, mounted and refused as they have to be.

use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;

use crate::driver::run_to_end;
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::refusals::refused;

/// An extended partition with a logical one, and a hidden one behind it.
const EXTENDED: &str = r#"disk = { only = true }
  partitions = [
    { kind = "primary", size = "2 GB", mount-point = "/" },
    { kind = "extended", size = "4 GB" },
    { kind = "logical", size = "1 GB", mount-point = "/home" },
    { kind = "logical", size = "rest", variable = "DATA" },
    { kind = "hidden", size = "rest" },
  ]"#;

#[test]
fn a_system_lies_on_logical_volumes_too() {
    let text = deploy().replace("disk = { only = true }", EXTENDED);
    let media = MediaBuilder::new(
        MediaLayout::Iso,
        &format!("{text}\n[[steps]]\ntype = \"run-command-line\"\ncommand = \"say %DATA%\"\n"),
    );
    let (world, report) = run_to_end(machine(Firmware::Bios, &media));
    report.assert_succeeded();
    let parts = &world.drives[0].parts;
    let numbers: Vec<_> = parts.iter().map(|part| part.number).collect();
    assert_eq!(numbers, [1, 2, 3, 5, 6, 4]);
    let kinds: Vec<_> = parts.iter().map(|part| part.volume.kind.as_str()).collect();
    assert_eq!(kinds, ["vfat", "ext4", "", "ext4", "ext4", "ext4"]);
    let fstab = String::from_utf8(parts[1].volume.bytes("etc/fstab").unwrap().clone()).unwrap();
    let id = &world.drives[0].table_id;
    assert!(fstab.contains(&format!("PARTUUID={id}-05 /home ")), "{fstab}");
    assert!(!fstab.contains(&format!("{id}-04")), "{fstab}");
    let last = world.commands.last().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&last.stdin),
        format!("say PARTUUID={id}-06")
    );
}

#[test]
fn an_image_goes_onto_a_logical_volume_by_the_number_of_its_entry() {
    let onto = |number: u32| {
        let destination = format!("destination = {{ disk = 0, partition = {number} }}");
        let text = deploy().replace("disk = { only = true }", EXTENDED);
        let text = text.replace("all-volumes = true", &destination);
        machine(Firmware::Bios, &MediaBuilder::new(MediaLayout::Iso, &text))
    };
    refused(&onto(3), &["partition 3 of", "5 (ext4 /home), 6 (ext4)"]);
    let (world, report) = run_to_end(onto(6));
    report.assert_succeeded();
    let parts = &world.drives[0].parts;
    let with_system = parts
        .iter()
        .filter(|part| part.volume.bytes("etc/os-release").is_some());
    assert_eq!(with_system.map(|part| part.number).collect::<Vec<_>>(), [6]);
}

#[test]
fn extended_partitions_that_cannot_be_made_are_refused() {
    let media = |text: &str| MediaBuilder::new(MediaLayout::Iso, text);
    let extended = media(&deploy().replace("disk = { only = true }", EXTENDED));
    refused(
        &machine(Firmware::Uefi, &extended),
        &["extended is not possible on GPT"],
    );
    let given = "OSDPartitions = '1'\nOSDPartitions0Type = 'Logical'\nOSDTimeZone =";
    let by_variables = media(&deploy().replace("OSDTimeZone =", given));
    refused(
        &machine(Firmware::Bios, &by_variables),
        &["directly behind a partition of the kind `extended`"],
    );
}

#[test]
fn an_image_onto_a_hidden_partition_is_refused() {
    let hidden = r#"disk = { only = true }
  partitions = [
    { kind = "primary", size = "2 GB", mount-point = "/", variable = "ROOT" },
    { kind = "hidden", size = "1 GB", variable = "KEPT" },
  ]"#;
    let onto = |name: &str| {
        let destination = format!("destination = {{ variable = \"{name}\" }}");
        let text = deploy().replace("disk = { only = true }", hidden);
        let text = text.replace("all-volumes = true", &destination);
        machine(Firmware::Uefi, &MediaBuilder::new(MediaLayout::Iso, &text))
    };
    refused(&onto("KEPT"), &["KEPT will be partition 3, which takes no image"]);
    let (_, report) = run_to_end(onto("ROOT"));
    report.assert_succeeded();
}
