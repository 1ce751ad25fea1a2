//! Data images: which of a file, and whether what is on the volume goes.

use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;

use crate::driver::{Report, run_to_end};
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::images::{Image, Wim};
use crate::world::{Volume, World, file};

/// A volume for the system and one for data.
const PARTITIONS: &str = r#"style = "by-firmware"
  partitions = [
    { kind = "primary", size = "2 GB", mount-point = "/" },
    { kind = "primary", size = "1 GB", mount-point = "/data", variable = "DATA" },
  ]"#;

fn apply(settings: &str) -> String {
    format!(
        "  [[steps.steps]]\n  type = \"apply-data-image\"\n  package = \"data\"\n  destination = {{ variable = \"DATA\" }}\n{settings}\n"
    )
}

/// A deployment with those steps behind the one that applies the system; the package `data` has two images.
fn run(variables: &str, steps: &str) -> (World, Report) {
    let after = "  [[steps.steps]]\n  type = \"apply-os-settings\"";
    let style = "style = \"by-firmware\"";
    let text = deploy();
    assert!(text.contains(after) && text.contains(style));
    let text = text
        .replace(after, &format!("{steps}{after}"))
        .replace(style, PARTITIONS)
        .replacen("[variables]\n", &format!("[variables]\n{variables}\n"), 1);
    let image = |name: &str| {
        let mut volume = Volume::new("ext4", 0);
        volume.put(&format!("{name}/file"), file(name));
        Image::new(name, &volume.tree)
    };
    let images = vec![image("one"), image("two")];
    let mut media = MediaBuilder::new(MediaLayout::Iso, &text);
    media.add_wim("data", &Wim { images }.to_bytes());
    run_to_end(machine(Firmware::Uefi, &media))
}

/// Whether the volume for data has the files of the two images.
fn on_data(world: &World) -> [bool; 2] {
    let mut volumes = world.drives[0].parts.iter().map(|part| &part.volume);
    let data = volumes.find(|volume| {
        let is_ours = volume.bytes("one/file").is_some() || volume.bytes("two/file").is_some();
        is_ours && volume.bytes("etc/os-release").is_none()
    });
    let data = data.expect("a volume with data");
    ["one/file", "two/file"].map(|path| data.bytes(path).is_some())
}

#[test]
fn the_index_says_which_image_is_applied() {
    for (variables, settings, expected) in [
        ("", "", [true, false]),
        ("", "  index = 2", [false, true]),
        ("OSDDataImageIndex = 2", "", [false, true]),
        ("OSDDataImageIndex = 2", "  index = 1", [true, false]),
    ] {
        let (world, report) = run(variables, &apply(settings));
        report.assert_succeeded();
        assert_eq!(on_data(&world), expected, "{variables} {settings}");
    }
    let (_, report) = run("OSDDataImageIndex = 3", &apply(""));
    assert!(report.reason().contains("2 images"), "{}", report.reason());
    assert!(report.reason().contains("before anything was changed"));
}

#[test]
fn what_is_on_the_volume_goes_unless_the_step_keeps_it() {
    for (variables, settings, expected) in [
        ("", "", [false, true]),
        ("", "  wipe = true", [false, true]),
        ("", "  wipe = false", [true, true]),
        ("OSDWipeDestinationPartition = false", "", [true, true]),
    ] {
        let steps = apply("  index = 1") + &apply(&format!("  index = 2\n{settings}"));
        let (world, report) = run(variables, &steps);
        report.assert_succeeded();
        assert_eq!(on_data(&world), expected, "{variables} {settings}");
    }
}
