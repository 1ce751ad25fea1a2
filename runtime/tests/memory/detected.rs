//! A Windows that lies on a disk before the run, as the sequence sees it.

use media_format::manifest::MediaLayout;
use runtime::platform::{Bus, Firmware};

use crate::driver::{Report, run_to_end};
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::frames::{as_winpe, command, deploy_then, deploy_windows, erasing, said, with_first};
use crate::windows::installation;
use crate::windows_runs;
use crate::world::{Drive, Volume, World};

const DRIVE: &str = "_OSDDetectedWinDrive";
const FOLDER: &str = "_OSDDetectedWinDir";

fn windows() -> Volume {
    Volume {
        tree: installation("IMAGE_STATE_COMPLETE"),
        ..Volume::new("ntfs", 3 << 30)
    }
}

/// A deployment onto a disk with those volumes, with steps before it and behind it.
fn deploys(volumes: &[Volume], in_pe: &str, in_os: &str) -> World {
    let text = with_first(&erasing(&deploy_then(in_os)), in_pe);
    let media = MediaBuilder::new(MediaLayout::Iso, &text);
    with_volumes(machine(Firmware::Uefi, &media), volumes)
}

fn with_volumes(mut world: World, volumes: &[Volume]) -> World {
    let empty = Drive::empty("vda", 8 << 30, Bus::Virtio);
    let with = |drive: Drive, (number, volume): (usize, &Volume)| {
        drive.with(&format!("part-{number}"), volume.clone())
    };
    world.drives[0] = volumes.iter().enumerate().fold(empty, with);
    world
}

fn say(line: &str, settings: &str) -> String {
    command(&format!("say {line}"), settings)
}

fn run(world: World) -> (Vec<String>, Report) {
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    (said(&world), report)
}

#[test]
fn the_first_windows_is_known_in_the_whole_run_and_the_others_are_in_the_log() {
    let step = say(&format!("%{DRIVE}% %{FOLDER}%"), "");
    let data = Volume::new("ntfs", 1 << 30);
    let (said, report) = run(deploys(&[data, windows(), windows()], &step, &step));
    assert_eq!(said, ["PARTUUID=part-1 /Windows"; 2]);
    assert!(
        report.log.contains("a Windows was found on /dev/vda2 of"),
        "{}",
        report.log
    );
    assert!(
        report.log.contains("another Windows lies on /dev/vda3 of"),
        "{}",
        report.log
    );
}

#[test]
fn without_a_windows_the_variables_do_not_exist() {
    let step = say(&format!("%{DRIVE}% %{FOLDER}%"), "");
    let (said, _) = run(deploys(&[Volume::new("ntfs", 1 << 30)], &step, ""));
    assert_eq!(said, [format!("%{DRIVE}% %{FOLDER}%")]);
}

#[test]
fn a_condition_asks_whether_there_is_a_windows() {
    for (volumes, expected) in [(vec![windows()], "some"), (vec![], "none")] {
        let when = |exists| format!("when = {{ variable = \"{FOLDER}\", exists = {exists} }}");
        let steps = say("some", &when(true)) + &say("none", &when(false));
        let (said, _) = run(deploys(&volumes, &steps, ""));
        assert_eq!(said, [expected]);
    }
}

#[test]
fn volumes_are_looked_at_only_where_somebody_asks() {
    let damaged = Volume {
        damaged: true,
        ..windows()
    };
    for (step, looks) in [
        (say(&format!("%{FOLDER}%"), ""), true),
        (say("nothing", ""), false),
    ] {
        let (_, report) = run(deploys(std::slice::from_ref(&damaged), &step, ""));
        assert_eq!(
            report
                .log
                .contains("not looked at: /dev/vda1: mounting /dev/vda1"),
            looks,
            "{}",
            report.log
        );
    }
}

/// What a step runs of a package, and nothing else of it.
#[test]
fn a_script_file_of_a_package_asks_too() {
    let by_name = "type = \"run-script\"\npackage = \"files\"\nfile = \"tools/look.sh\"";
    let by_line = "type = \"run-command-line\"\npackage = \"files\"\ncommand = \"say Tools/Look.sh\"";
    let other = "type = \"run-command-line\"\npackage = \"files\"\ncommand = \"say nothing\"";
    let asks = "say $_OSDDetectedWinDir";
    let wide: String = asks.chars().flat_map(|c| [c, '\0']).collect();
    let long = asks.to_owned() + &" ".repeat(1 << 20);
    for (step, script, looks) in [
        (by_name, asks, true),
        (by_line, asks, true),
        (by_line, &wide, true),
        (by_line, "say _OSDDetectedWin", false),
        (by_line, &long, false),
        (other, asks, false),
        (
            &format!("{other}\ndescription = \"look.sh reads {FOLDER}\""),
            "",
            true,
        ),
    ] {
        let text = with_first(&erasing(&deploy()), &format!("[[steps]]\n{step}"));
        let mut media = MediaBuilder::new(MediaLayout::Iso, &text);
        media.add_file("tools/look.sh", script);
        let world = with_volumes(machine(Firmware::Uefi, &media), &[windows()]);
        let (_, report) = run(world);
        let found = report.log.contains("a Windows was found on /dev/vda1 of");
        assert_eq!(found, looks, "{step} {}: {}", script.trim_end(), report.log);
    }
}

#[test]
fn windows_pe_gives_a_drive_and_a_path_of_windows() {
    let media = windows_runs::media(MediaLayout::Iso, &erasing(&deploy_windows()));
    let world = with_volumes(machine(Firmware::Uefi, &media), &[windows()]);
    let (_, report) = run(as_winpe(world));
    let drive = r"\run\media-runtime\mounts\vda1";
    let line = format!(r"{DRIVE} is {drive}, {FOLDER} is {drive}\Windows");
    assert!(report.log.contains(&line), "{line}: {}", report.log);
}
