//! A Windows on several volumes: which image comes where, and whether it has room there.

use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;

use crate::driver::{run_to_end, run_to_system};
use crate::fixture::machine;
use crate::frames::{deploy_windows, deploys_then};
use crate::images::{Image, Part, Wim};
use crate::windows::{info, installation};
use crate::windows_runs::{media, with_controller};
use crate::world::{Volume, World, file};

const DISK: &str = "type = \"format-and-partition-disk\"";
const APPLY: &str = "package = \"windows\"\n  index = 1";

/// Deploys an image file in which Windows lies between two others, onto that layout.
fn with(partitions: &str, destination: &str, sizes: (u64, u64)) -> World {
    let text = deploy_windows();
    assert!(text.contains(DISK) && text.contains(APPLY));
    let text = text
        .replace(DISK, &format!("{DISK}\n  partitions = [{partitions}]"))
        .replace(
            APPLY,
            &format!("package = \"windows\"\n  all-volumes = true\n{destination}"),
        );
    let data = |name: &str, more_bytes: u64| {
        let mut volume = Volume::default();
        volume.put(name, file("content"));
        let mut image = Image::new(name, &volume.tree);
        image.more_bytes = more_bytes;
        image
    };
    let mut windows = Image::new("Windows", &installation("IMAGE_STATE_COMPLETE"));
    windows.windows = Some(info(9));
    let images = vec![data("first.txt", sizes.0), windows, data("last.txt", sizes.1)];
    let mut media = media(MediaLayout::Iso, &text);
    media.put_image("windows", &Wim { images }.to_bytes());
    with_controller(&media)
}

fn partition(size: &str, more: &str) -> String {
    format!("{{ kind = \"primary\", file-system = \"ntfs\", size = \"{size}\"{more} }}")
}

/// Which of the images the NTFS volumes hold, in the order of the disk.
fn held(world: &World) -> Vec<&'static str> {
    let volumes = world.drives[0]
        .parts
        .iter()
        .filter(|part| part.volume.kind == "ntfs");
    let what = |volume: &Volume| {
        let known = ["Windows/explorer.exe", "first.txt", "last.txt"];
        let found: Vec<_> = known
            .into_iter()
            .filter(|path| volume.bytes(path).is_some())
            .collect();
        assert!(found.len() <= 1, "{found:?} on one volume");
        found.first().copied().unwrap_or("nothing")
    };
    volumes.map(|part| what(&part.volume)).collect()
}

#[test]
fn windows_comes_first_and_the_other_images_onto_the_next_volumes_in_order() {
    let layout = [
        partition("4 GB", ""),
        partition("1 GB", ""),
        partition("1 GB", ""),
    ]
    .join(", ");
    let (world, report) = run_to_end(with(&layout, "", (10, 10)));
    report.assert_succeeded();
    assert_eq!(held(&world), ["Windows/explorer.exe", "first.txt", "last.txt"]);
}

#[test]
fn windows_comes_onto_the_volume_that_the_step_names_and_the_others_onto_the_rest() {
    let named = partition("4 GB", ", variable = \"WINDOWS\"");
    let layout = [partition("1 GB", ""), named, partition("1 GB", "")].join(", ");
    let begin = with(&layout, "  destination = { variable = \"WINDOWS\" }", (10, 10));
    let (world, report) = run_to_system(begin.clone());
    assert_eq!(
        held(&world),
        ["first.txt", "Windows/explorer.exe", "last.txt"],
        "{}",
        report.log
    );
    let (world, report) = run_to_end(begin);
    report.assert_succeeded();
    assert_eq!(held(&world), ["first.txt", "Windows/explorer.exe", "last.txt"]);
}

#[test]
fn the_other_volumes_of_a_captured_windows_are_not_forgotten() {
    let run = |name: &str, settings: &str| {
        let mut windows = Image::new("Reference", &installation("IMAGE_STATE_COMPLETE"));
        windows.windows = Some(info(9));
        let mut data = Volume::default();
        data.put("first.txt", file("content"));
        let images = vec![windows, Image::new(name, &data.tree)];
        let text = deploy_windows();
        assert!(text.contains(APPLY));
        let text = text.replace(APPLY, &format!("{APPLY}\n{settings}"));
        let mut media = media(MediaLayout::Iso, &text);
        media.put_image("windows", &Wim { images }.to_bytes());
        let begin = with_controller(&media);
        let (after, report) = run_to_end(begin.clone());
        (after.drives == begin.drives, report)
    };
    let (unchanged, report) = run("Reference (volume 4)", "");
    assert!(
        report.reason().contains("further volumes of the same Windows"),
        "{}",
        report.reason()
    );
    assert!(unchanged);
    // Another edition, or another machine's.
    for name in ["Reference N", "Reference (volume of last year)"] {
        run(name, "").1.assert_succeeded();
    }
    // Written out, they are left out on purpose.
    let (_, report) = run("Reference (volume 4)", "  all-volumes = false\n");
    report.assert_succeeded();
}

#[test]
fn each_image_is_compared_with_the_volume_that_it_comes_onto() {
    let large = 1_200_000;
    let (small, room) = (partition("1 MB", ""), partition("1 GB", ""));
    let named = partition("4 GB", ", variable = \"WINDOWS\"");
    let destination = "  destination = { variable = \"WINDOWS\" }";
    let refused = |layout: &[&String], destination: &str, sizes, why: &str| {
        let layout: Vec<&str> = layout.iter().map(|text| text.as_str()).collect();
        let begin = with(&layout.join(", "), destination, sizes);
        let (after, report) = run_to_end(begin.clone());
        assert!(report.reason().contains(why), "{why}: {}", report.reason());
        assert_eq!(after.drives, begin.drives);
    };
    // The first image of the file comes behind Windows, and so onto the second volume.
    refused(&[&room, &small, &room], "", (large, 10), "volume 4 has");
    // Windows takes the last volume, and the last image of the file comes onto the one before.
    refused(&[&room, &small, &named], destination, (10, large), "volume 4 has");
    let why = "applies 3 images and the disk has 2 volumes";
    refused(&[&room, &room], "", (10, 10), why);
    for (layout, destination, sizes) in [
        ([&room, &small, &room], "", (10, large)),
        ([&small, &room, &named], destination, (10, large)),
    ] {
        let layout: Vec<&str> = layout.iter().map(|text| text.as_str()).collect();
        let (_, report) = run_to_end(with(&layout.join(", "), destination, sizes));
        report.assert_succeeded();
    }
}

#[test]
fn what_is_not_kept_on_fat_is_said_and_lost_content_fails_the_step() {
    let metadata = [
        "Ignoring FILE_ATTRIBUTE_HIDDEN of 3 files",
        "Ignoring Windows NT security descriptors of 9 files",
        "Ignoring DOS names of 1 files",
    ];
    let deploy = |kind: &str, warnings: &[&str]| {
        let other = partition("1 GB", "").replace("ntfs", kind);
        let layout = [partition("4 GB", ""), other, partition("1 GB", "")].join(", ");
        let mut world = with(&layout, "", (10, 10));
        world.apply_warnings = warnings.iter().map(|text| (*text).to_owned()).collect();
        run_to_end(world)
    };
    for kind in ["fat32", "exfat"] {
        let (world, report) = deploy(kind, &metadata);
        report.assert_succeeded();
        assert_eq!(held(&world), ["Windows/explorer.exe", "last.txt"]);
        for text in metadata {
            assert!(report.log.contains(text), "{text}: {}", report.log);
        }
        let streams = "Ignoring named data streams of 1 files";
        let (_, report) = deploy(kind, &[&metadata[..], &[streams]].concat());
        let reason = report.reason();
        assert!(
            reason.contains(streams) && !reason.contains("DOS names"),
            "{reason}"
        );
    }
}

#[test]
fn what_is_not_kept_on_a_file_system_of_linux_fails_the_step() {
    let mut world = machine(Firmware::Uefi, &deploys_then(""));
    world.apply_warnings = vec!["Ignoring DOS names of 1 files".into()];
    let (_, report) = run_to_end(world);
    let reason = report.reason();
    assert!(
        reason.contains("applied with warnings") && reason.contains("DOS names"),
        "{reason}"
    );
}

/// A part of a split image, which has the images of all parts as its first one has them.
fn part(number: u16, of: u16, set: u64) -> Vec<u8> {
    let mut windows = Image::new("Windows", &installation("IMAGE_STATE_COMPLETE"));
    windows.windows = Some(info(9));
    let part = Part {
        wim: Wim {
            images: vec![windows],
        },
        part: (number, of, set),
    };
    serde_json::to_vec(&part).unwrap()
}

fn with_folder(files: &[(&str, Vec<u8>)]) -> World {
    let text = deploy_windows();
    let mut media = media(MediaLayout::Iso, &text);
    media.put_image_folder("windows", files);
    with_controller(&media)
}

#[test]
fn a_split_image_is_applied_from_all_its_parts_whatever_lies_beside_them() {
    let files = [
        ("a-second.SWM", part(2, 3, 7)),
        ("b-first.swm", part(1, 3, 7)),
        ("c-third.swm", part(3, 3, 7)),
        ("of-another.swm", part(2, 2, 8)),
        ("readme.txt", b"how to".to_vec()),
    ];
    let (world, report) = run_to_end(with_folder(&files));
    report.assert_succeeded();
    assert_eq!(held(&world)[0], "Windows/explorer.exe");
}

#[test]
fn a_folder_without_one_whole_image_is_refused_before_the_disk_is_erased() {
    let refused = |files: &[(&str, Vec<u8>)], why: &str| {
        let begin = with_folder(files);
        let (after, report) = run_to_end(begin.clone());
        assert!(report.reason().contains(why), "{why}: {}", report.reason());
        assert_eq!(after.drives, begin.drives);
    };
    let whole = || part(1, 1, 7);
    let first = || part(1, 3, 7);
    refused(
        &[("1.swm", first()), ("2.swm", part(2, 3, 7))],
        "is a split WIM of 3 parts, and 1 of them lie beside it",
    );
    refused(
        &[
            ("1.swm", first()),
            ("2.swm", part(2, 3, 7)),
            ("3.swm", part(3, 3, 8)),
        ],
        "is a split WIM of 3 parts, and 1 of them lie beside it",
    );
    refused(&[("2.swm", part(2, 3, 7))], "holds no WIM, ESD, or first part");
    refused(
        &[("readme.txt", b"none".to_vec())],
        "holds no WIM, ESD, or first part",
    );
    refused(&[("a.wim", whole()), ("b.ESD", whole())], "holds 2 WIM files");
    let (_, report) = run_to_end(with_folder(&[("a.esd", whole()), ("1.swm", first())]));
    report.assert_succeeded();
}

/// Applies Windows once, puts a file into a folder there and one onto the volume of data, and applies that step then.
fn applies_again(state: &str, step: &str) -> World {
    let text = deploy_windows();
    let more = format!(
        "\n  [[steps.steps]]\n  type = \"run-command-line\"\n  command = \"append %OSDTargetSystemDrive%/State/user\"\n\n  \
         [[steps.steps]]\n  type = \"set-variables\"\n  variables = {{ _SMSTSUserStatePath = '{state}' }}\n\n  \
         [[steps.steps]]\n  type = \"{step}\"\n  package = \"windows\"\n  index = 1\n  destination = {{ variable = \"ROOT\" }}\n"
    );
    let volumes = [
        partition("60%", ", variable = \"ROOT\""),
        partition("rest", ", variable = \"DATA\""),
    ];
    let text = text
        .replace(DISK, &format!("{DISK}\n  partitions = [{}]", volumes.join(", ")))
        .replace(APPLY, &format!("{APPLY}\n{more}"));
    with_controller(&media(MediaLayout::Iso, &text))
}

#[test]
fn a_volume_with_the_users_state_is_not_formatted() {
    let user = |world: &World| {
        let mut parts = world.drives[0].parts.iter();
        parts.any(|part| part.volume.bytes("State/user").is_some())
    };
    for step in ["apply-operating-system-image", "apply-data-image"] {
        for state in ["%ROOT%/state", r"%OSDTargetSystemDrive%\State"] {
            let (world, report) = run_to_end(applies_again(state, step));
            let reason = report.reason();
            assert!(
                reason.contains("_SMSTSUserStatePath") && reason.contains("another volume"),
                "{reason}"
            );
            assert!(user(&world), "nothing was deleted");
        }
        // On another volume, on a share, or not there: nothing of it is lost.
        for state in ["%DATA%/state", r"\\server\share\state", "%ROOT%/none", ""] {
            let (world, report) = run_to_system(applies_again(state, step));
            assert!(
                !report.log.contains("formatted for"),
                "{step} {state}: {}",
                report.log
            );
            assert!(!user(&world), "{step} {state}: {}", report.log);
        }
    }
}
