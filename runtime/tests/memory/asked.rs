//! Secrets that somebody is asked for, what is made of them, and what happens where there is none.

use std::cell::RefCell;

use media_format::manifest::MediaLayout;
use runtime::platform::{Firmware, Result};
use runtime::start::Operator;

use crate::driver::{Report, run_to_cut, run_to_end, run_with};
use crate::fixture::{self, MediaBuilder, build_and_capture, machine};
use crate::frames::{deploy_then, lines, with_first};
use crate::runs::with_account;
use crate::secrets::absent_in_world;
use crate::world::World;

/// Writes down what is asked.
#[derive(Default)]
struct Attendant(RefCell<Vec<String>>);

impl Operator for Attendant {
    fn ask(&self, question: &str, hidden: bool) -> Result<String> {
        if question.contains("Number of the task sequence") {
            return Ok("1".into());
        }
        assert!(hidden, "what is typed is shown: {question}");
        self.0.borrow_mut().push(question.to_owned());
        Ok(fixture::CAPTURE_CANARY.to_owned())
    }
}

fn attended(mut media: MediaBuilder, asked: &str) -> World {
    media.options.unattended = false;
    media.options.ask.insert(asked.into());
    media.options.secrets.insert(asked.into());
    machine(Firmware::Uefi, &media)
}

/// Deploys, with those steps in the boot image and in the installed system.
fn deploy_with(in_pe: &str, in_os: &str) -> MediaBuilder {
    MediaBuilder::new(MediaLayout::Iso, &with_first(&deploy_then(in_os), in_pe))
}

const USE: &str = "[[steps]]\ntype = \"run-command-line\"\ncommand = \"say %Token%\"\n";

#[test]
fn a_secret_is_asked_for_at_the_starts_whose_steps_need_it() {
    let mut media = MediaBuilder::new(MediaLayout::Iso, &build_and_capture(r"\\server\captures\ref.wim"));
    let variables = &mut media.options.variables;
    variables.insert("OSDCaptureAccount".into(), "capturer".into());
    let person = Attendant::default();
    let (world, report) = run_with(attended(media, "OSDCaptureAccountPassword"), &person);
    report.assert_succeeded();
    assert_eq!(report.starts.len(), 4);
    // Before anything is erased, and for the capture itself; not in the installed system.
    assert_eq!(
        *person.0.borrow(),
        ["\n  OSDCaptureAccountPassword (typed without being shown): "; 2]
    );
    absent_in_world(&world, &report);
}

#[test]
fn a_secret_of_the_installed_system_is_asked_for_there_and_is_in_no_argument() {
    let media = deploy_with("", USE);
    let person = Attendant::default();
    let (world, report) = run_with(attended(media, "Token"), &person);
    report.assert_succeeded();
    assert_eq!(lines(&world), [format!("say {}", fixture::CAPTURE_CANARY)]);
    assert_eq!(*person.0.borrow(), ["\n  Token (typed without being shown): "; 2]);
    absent_in_world(&world, &report);
}

#[test]
fn nobody_is_asked_on_unattended_media_and_nothing_is_erased() {
    let join = "[[steps]]\ntype = \"join-domain-or-workgroup\"\njoin = \"domain\"\ndomain = \"lab.example\"\n\
                account = \"join\"\npassword = \"%Token%\"\n";
    for steps in [USE, join] {
        let mut media = deploy_with("", steps);
        media.options.ask.insert("Token".into());
        let before = machine(Firmware::Uefi, &media);
        let (world, report) = run_to_end(before.clone());
        assert!(report.reason().contains("unattended"), "{}", report.reason());
        assert_eq!(world.drives, before.drives);
    }
}

#[test]
fn a_secret_without_a_value_is_not_replaced_by_its_name() {
    let mut media = deploy_with(USE, "");
    media.options.secrets.insert("Token".into());
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    assert!(
        report.reason().contains("Token has no value"),
        "{}",
        report.reason()
    );
    assert!(lines(&world).is_empty());
    let (_, report) = run_to_end(machine(Firmware::Uefi, &deploy_with(USE, "")));
    report.assert_succeeded();
}

#[test]
fn a_script_gets_no_secret_as_an_argument() {
    let step = "[[steps]]\ntype = \"run-script\"\npackage = \"files\"\nfile = \"readme\"\n\
                arguments = [\"%Token%\"]\n";
    let media = deploy_with(step, "").secret("Token", fixture::CAPTURE_CANARY);
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    assert!(
        report.reason().contains("list of processes"),
        "{}",
        report.reason()
    );
    absent_in_world(&world, &report);
}

const DERIVED: &str = "[[steps]]\ntype = \"set-variables\"\n\
                       variables = { Header = \"Bearer %Token%\", Line = \"say %Header%\" }\n";
const USE_DERIVED: &str = "[[steps]]\ntype = \"run-command-line\"\ncommand = \"%Line%\"\noutput-variable = \"Heard\"\n\
                           [[steps]]\ntype = \"restart-computer\"\ntarget = \"os\"\n\
                           [[steps]]\ntype = \"run-command-line\"\ncommand = \"%Line%\"\n";

fn derived() -> World {
    machine(
        Firmware::Uefi,
        &deploy_with(DERIVED, USE_DERIVED).secret("Token", fixture::CAPTURE_CANARY),
    )
}

#[test]
fn what_is_made_of_a_secret_survives_a_restart_and_is_written_nowhere() {
    let (world, report) = run_to_end(derived());
    report.assert_succeeded();
    let said = format!("say Bearer {}", fixture::CAPTURE_CANARY);
    assert_eq!(lines(&world), [said.clone(), said]);
    absent_in_world(&world, &report);
    for cut in (1..world.operations.len()).step_by(5) {
        let mut world = derived();
        world.cuts.insert(cut);
        let (off, report) = run_to_cut(world);
        absent_in_world(&off, &report);
    }
}

#[test]
fn what_is_made_of_an_asked_secret_is_there_after_a_restart_too() {
    let person = Attendant::default();
    let (world, report) = run_with(attended(deploy_with(DERIVED, USE_DERIVED), "Token"), &person);
    report.assert_succeeded();
    assert_eq!(lines(&world).len(), 2);
    absent_in_world(&world, &report);
}

#[test]
fn passwords_of_shares_are_hidden_without_being_declared() {
    let mut media = with_account(MediaLayout::Iso, &build_and_capture(r"\\server\captures\ref.wim"));
    let name = "SMSConnectNetworkFolderPassword";
    media
        .options
        .variables
        .insert(name.into(), fixture::ADMIN_CANARY.into());
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    absent_in_world(&world, &report);
}

fn said_by(command: &str) -> Report {
    let step = format!(
        "[[steps]]\ntype = \"run-command-line\"\ncommand = \"{command}\"\noutput-variable = \"Heard\"\n"
    );
    run_to_end(machine(Firmware::Uefi, &deploy_with("", &step))).1
}

#[test]
fn a_long_output_is_cut_and_the_log_says_so() {
    let report = said_by("flood 600000");
    report.assert_succeeded();
    assert!(
        report
            .log
            .contains("wrote 600000 bytes; variable Heard gets the first 32768"),
        "{}",
        report.log
    );
    let report = said_by("flood 32768");
    assert!(!report.log.contains("gets the first"));
}

#[test]
fn variables_that_the_journal_has_no_room_for_fail_their_step_in_order() {
    let long = "x".repeat(300_000);
    let step = format!("[[steps]]\ntype = \"set-variables\"\nvariables = {{ Long = \"{long}\" }}\n");
    let (world, report) = run_to_end(machine(Firmware::Uefi, &deploy_with("", &step)));
    let reason = report.reason();
    assert!(
        reason.contains("the longest is Long with 300000 bytes"),
        "{reason}"
    );
    let left = &world.drives[0].parts[0].volume;
    assert!(
        left.bytes(&media_format::paths::state(fixture::MEDIA)).is_none(),
        "the next start begins anew"
    );
    let forgiving = format!("{step}continue-on-error = true\n");
    let (_, report) = run_to_end(machine(Firmware::Uefi, &deploy_with("", &forgiving)));
    report.assert_succeeded();
}
