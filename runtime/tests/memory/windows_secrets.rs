//! What set-up is told in secret is nowhere once Windows has used it, however the run ends.

use media_format::event::Environment::{Os, Pe};
use media_format::manifest::MediaLayout;
use media_format::paths;

use crate::driver::{Report, run_to_cut, run_to_end, run_to_system};
use crate::fixture::{ADMIN_CANARY, JOIN_CANARY, MEDIA};
use crate::frames::deploy_windows;
use crate::secrets::absent_in_world;
use crate::windows::{info, installation, wim, with_files};
use crate::windows_runs::{BUILD_AND_CAPTURE, INSIDE, captured, media, template, with_controller};
use crate::world::World;

/// Where set-up reads what it is told.
const ANSWERS: &str = "Windows/Panther/Unattend/Unattend.xml";
/// Where it keeps a copy, here as it is before Windows has taken anything out.
const COPY: &str = "Windows/Panther/unattend.xml";

fn copy() -> String {
    format!(
        "<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><settings pass=\"specialize\"><component>\
         <Identification><Credentials><Password>{JOIN_CANARY}</Password></Credentials></Identification>\
         <!-- {ADMIN_CANARY} --></component></settings></unattend>"
    )
}

/// A machine that is set up from an image that has such a copy in it.
fn with(sequence: &str) -> World {
    let mut media = media(MediaLayout::Iso, sequence);
    let tree = with_files(installation("IMAGE_STATE_COMPLETE"), &[(COPY, copy().as_bytes())]);
    media.put_image("windows", &wim(&tree, Some(info(9))));
    with_controller(&media)
}

/// Joins a domain, with an administrator that has a password; then those steps.
fn deploys(steps: &str) -> String {
    let text = deploy_windows();
    let workgroup = "join = \"workgroup\"\n  workgroup = \"WORKGROUP\"";
    assert!(text.contains("%OSDLocalAdminPassword%") && text.contains(workgroup));
    let text = text
        .replace(
            workgroup,
            "join = \"domain\"\n  domain = \"lab.example\"\n  account = \"lab\\\\joiner\"\n  password = \"%OSDJoinPassword%\"",
        );
    text + steps
}

/// Ends the run wherever it stands: no step that the machine in memory knows can do this.
const BREAKS: &str = "\n[[steps]]\ntype = \"run-script\"\nname = \"Break it\"\ninline = \"exit 1\"\n";

fn answers(world: &World) -> Option<String> {
    let bytes = world.drives[0].parts[2].volume.bytes(ANSWERS)?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// Takes out of the world where a secret lies for set-up, and looks for it everywhere else.
fn absent_beside_answers(mut world: World, report: &Report) {
    for part in &mut world.drives[0].parts {
        part.volume.tree.retain(|path, _| {
            !path.starts_with(ANSWERS) && path != COPY && !path.starts_with(&format!("{COPY}."))
        });
    }
    absent_in_world(&world, report);
}

#[test]
fn a_run_that_fails_inside_windows_leaves_no_secret() {
    let (world, report) = run_to_end(with(&deploys(BREAKS)));
    assert_eq!(report.starts, [Pe, Os], "{}", report.log);
    assert!(report.reason().contains("Break it"), "{}", report.reason());
    assert_eq!(world.drives[0].parts[2].volume.bytes(COPY), None);
    assert_eq!(answers(&world), None);
    absent_in_world(&world, &report);
    let said = format!("removed from /{ANSWERS}: unattend/settings/component");
    assert!(report.log.contains(&said), "{}", report.log);
}

#[test]
fn what_set_up_keeps_of_the_answers_is_in_no_captured_image() {
    let (world, report) = run_to_end(with(&template(BUILD_AND_CAPTURE, &INSIDE)));
    report.assert_succeeded();
    let tree = captured(&world).images[0].tree();
    assert!(tree.contains_key("Windows/explorer.exe"));
    assert!(!tree.contains_key(COPY) && !tree.contains_key(ANSWERS));
}

#[test]
fn a_run_that_fails_in_the_boot_image_leaves_no_secret() {
    // Before set-up: what it would have been told is there, and nobody will use it.
    let text = deploys("");
    let setup = "[[steps.steps]]\n  type = \"setup-os\"";
    assert!(text.contains(setup));
    let breaks = BREAKS.replace("[[steps]]", "[[steps.steps]]");
    let (world, report) = run_to_end(with(&text.replace(setup, &format!("{breaks}\n  {setup}"))));
    assert_eq!(report.starts, [Pe], "{}", report.log);
    assert!(report.reason().contains("Break it"), "{}", report.reason());
    assert_eq!(answers(&world), None);
    absent_in_world(&world, &report);
}

/// As soon as Windows has used what it was told, and not only at the end of the run: its power may fail for good.
#[test]
fn from_the_first_step_inside_windows_no_cut_leaves_a_secret() {
    for sequence in [deploys(""), template(BUILD_AND_CAPTURE, &INSIDE)] {
        let world = with(&sequence);
        let (done, report) = run_to_end(world.clone());
        report.assert_succeeded();
        absent_in_world(&done, &report);
        let mut used = 0;
        for cut in 1..done.operations.len() {
            let mut world = world.clone();
            world.cuts.insert(cut);
            let (off, report) = run_to_cut(world);
            let is_used = |line: &String| line.starts_with("Set up Windows") && line.ends_with(": done");
            if report.trace().iter().any(is_used) {
                used += 1;
                absent_in_world(&off, &report);
            } else {
                absent_beside_answers(off, &report);
            }
        }
        assert!(used > 5, "{used}");
    }
}

#[test]
fn a_run_that_has_lost_its_journal_leaves_no_secret_in_the_answers() {
    // Windows is to start, and nothing was done in it.
    let (mut off, report) = run_to_system(with(&deploys("")));
    assert_eq!(report.starts, [Pe], "{}", report.log);
    assert!(answers(&off).is_some_and(|text| text.contains(JOIN_CANARY)));
    let esp = &mut off.drives[0].parts[0].volume;
    assert!(esp.bytes(&paths::state(MEDIA)).is_some() && esp.bytes(paths::JOURNAL).is_some());
    esp.put(paths::JOURNAL, crate::world::file("damaged"));
    let (world, report) = run_to_end(off);
    assert!(report.reason().contains("journal"), "{}", report.reason());
    // Which secrets the run has is in its journal: one in a command could not be told, so the file of the run is gone.
    assert_eq!(answers(&world), None);
    assert_eq!(world.drives[0].parts[2].volume.bytes(COPY), None);
    assert!(
        world.drives[0].parts[0]
            .volume
            .bytes(&paths::state(MEDIA))
            .is_none()
    );
}
