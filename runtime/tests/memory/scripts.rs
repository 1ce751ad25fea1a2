//! What commands and scripts know of the run, and what they tell it.

use media_format::manifest::{Finish, Install, MediaLayout};
use media_format::paths;
use runtime::platform::{Command, Firmware};

use crate::driver::{Ended, Report, run_to_end};
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::frames::{command, deploy_then, deploys_then};
use crate::world::World;

/// A deployment with further steps, inside the installed system.
fn run(steps: &str) -> (World, Report) {
    let mut media = deploys_then(steps);
    media.add_application("speaks", Install::Command("say installed".into()));
    run_to_end(machine(Firmware::Uefi, &media))
}

fn commands<'a>(world: &'a World, line: &str) -> Vec<&'a Command> {
    let fitting = world.commands.iter();
    fitting
        .filter(|command| command.stdin == line.as_bytes())
        .collect()
}

#[test]
fn the_exit_code_of_a_success_is_known_afterwards() {
    let last = "say it was %_SMSTSLastActionRetCode% %_SMSTSLastActionSucceeded%";
    let steps = command("exit 3", "success-codes = [3]")
        + &command(last, "")
        + &command(last, "")
        + &command("exit 3010", "")
        + &command(last, "")
        + &command("exit 5", "continue-on-error = true")
        + &command(last, "");
    let (world, report) = run(&steps);
    report.assert_succeeded();
    let said: Vec<String> = world
        .commands
        .iter()
        .map(|command| String::from_utf8_lossy(&command.stdin).into_owned())
        .filter(|line| line.starts_with("say it was"))
        .collect();
    assert_eq!(
        said,
        ["3 true", "0 true", "3010 true", "5 false"].map(|end| format!("say it was {end}"))
    );
}

#[test]
fn an_address_that_came_later_is_known() {
    let steps = command("lease 192.0.2.7", "")
        + &command(
            "say at %_SMSTSIPAddresses%",
            "when = { variable = \"_SMSTSIPAddresses\", like = \"192.0.2.*\" }",
        );
    let (world, report) = run(&steps);
    report.assert_succeeded();
    assert_eq!(commands(&world, "say at 192.0.2.7").len(), 1, "{}", report.log);
}

#[test]
fn what_installs_a_package_knows_the_variables() {
    let steps = "[[steps]]\ntype = \"install-applications\"\napplications = [\"speaks\"]\n";
    let (world, report) = run(steps);
    report.assert_succeeded();
    let environment = &commands(&world, "say installed")[0].environment;
    assert_eq!(
        environment.get("OSDComputerName").map(String::as_str),
        Some("COMPUTER")
    );
}

#[test]
fn a_failure_that_is_covered_is_copied_to_the_stick_with_the_log() {
    let steps = command("exit 5", "continue-on-error = true") + &command("append /last", "");
    let media = MediaBuilder::new(MediaLayout::Usb, &deploy_then(&steps));
    let mut world = machine(Firmware::Uefi, &media);
    let (done, _) = run_to_end(world.clone());
    let last = |name: &String| name == "program writes /last";
    let cut = done.operations.iter().position(last).expect("the last one") + 1;
    world.cuts.insert(cut);
    let (world, _) = crate::driver::run_to_cut(world);
    let data = &world.drives[1].parts[1].volume;
    let log = data
        .bytes(&format!("{}/COMPUTER/smsts.log", paths::LOGS))
        .expect("a log");
    assert!(String::from_utf8_lossy(log).contains("failed with 5"));
}

#[test]
fn a_script_sets_variables() {
    let steps = command("tell More=yes AndMore=", "")
        + &command("say more %More%%AndMore%", "")
        + &command("tell Header=%Token%", "")
        + &command("say header %Header%", "");
    let text = deploy().replace(
        "[variables]",
        "[variables]\nToken = { value = \"Canary-Token-1\", secret = true }",
    );
    let media = MediaBuilder::new(MediaLayout::Iso, &format!("{text}\n{steps}"));
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert_eq!(commands(&world, "say more yes").len(), 1, "{}", report.log);
    let said = commands(&world, "say header Canary-Token-1");
    assert!(
        !said[0].environment.contains_key("Header"),
        "what is made of a secret is secret"
    );
    assert!(!report.log.contains("Canary-Token-1"));
    assert!(world.system_bytes(0, 1, "run/media-runtime/variables").is_none());
}

#[test]
fn a_script_sets_no_variable_of_the_engine_and_writes_lines() {
    for (line, why) in [
        ("tell _SMSTSInWinPE=true", "_SMSTSInWinPE is read-only"),
        ("tell nothing", "line 1 of the file of SMSTS_VARIABLES_FILE"),
    ] {
        let (_, report) = run(&command(line, ""));
        assert!(report.reason().contains(why), "{}", report.reason());
    }
}

#[test]
fn a_script_asks_for_a_restart_and_to_be_called_again() {
    let (world, report) =
        run(&(command("tell SMSTSRebootRequested=true", "") + &command("append /last", "")));
    report.assert_succeeded();
    let (_, plain) = run(&command("append /last", ""));
    assert_eq!(report.starts.len(), plain.starts.len() + 1);
    assert_eq!(
        world.system_bytes(0, 1, "last").map(Vec::as_slice),
        Some(&b"once\n"[..])
    );
    let again = "tell-once SMSTSRebootRequested=HD SMSTSRetryRequested=true";
    let (world, report) = run(&(command(again, "") + &command("append /last", "")));
    report.assert_succeeded();
    assert_eq!(commands(&world, again).len(), 2);
    assert_eq!(report.starts.len(), plain.starts.len() + 1);
}

#[test]
fn a_condition_on_the_version_of_a_file_without_one_says_so() {
    let condition = "when = { file = \"/etc/os-release\", version = { greater = \"1\" } }";
    let (_, report) = run(&command("true", condition));
    assert!(
        report.reason().contains("/etc/os-release") && report.reason().contains("no version"),
        "{}",
        report.reason()
    );
}

/// `OSDTargetSystemDrive` in the boot image, inside the system, and in the boot image again.
#[test]
fn commands_find_the_system_that_is_built() {
    let touch = |file: &str| command(&format!("touch %OSDTargetSystemDrive%/{file}"), "");
    let set_up = "[[steps.steps]]\n  type = \"setup-os\"";
    let before = touch("etc/before").replace("[[steps]]", "[[steps.steps]]");
    assert!(deploy().contains(set_up));
    let set_up = deploy().replacen(set_up, &(before + set_up), 1);
    let restart = "[[steps]]\ntype = \"restart-computer\"\ntarget = \"pe\"\n";
    let steps = format!("{set_up}\n{}{restart}{}", touch("etc/inside"), touch("etc/after"));
    let media = MediaBuilder::new(MediaLayout::Iso, &steps);
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    let touched = |file: &str| {
        world.drives[0]
            .parts
            .iter()
            .any(|part| part.volume.bytes(file).is_some())
    };
    for file in ["etc/before", "etc/inside", "etc/after"] {
        assert!(touched(file), "{file}: {}", report.log);
    }
}

#[test]
fn a_last_command_runs_however_the_run_ends() {
    for (steps, succeeds) in [("", true), (&command("exit 5", "")[..], false)] {
        let variable = "[variables]\nSMSTSPostAction = \"say the end of %OSDComputerName%\"\n";
        let sequence = deploy().replacen("[variables]\n", variable, 1);
        assert!(sequence.contains("SMSTSPostAction"));
        let media = MediaBuilder::new(MediaLayout::Iso, &format!("{sequence}\n{steps}"));
        let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
        assert_eq!(
            commands(&world, "say the end of COMPUTER").len(),
            1,
            "{}",
            report.log
        );
        assert_eq!(matches!(report.ended, Ended::Over(None)), succeeds);
        let last = world.commands.last().map(|command| command.stdin.clone());
        assert_eq!(last.as_deref(), Some(&b"say the end of COMPUTER"[..]));
    }
}

#[test]
fn a_failure_that_nobody_looks_at_switches_the_machine_off_when_that_is_wanted() {
    for (seconds, finish) in [
        ("60", Finish::Shutdown),
        ("0", Finish::Wait),
        ("soon", Finish::Wait),
    ] {
        let variable = format!("[variables]\nSMSTSErrorDialogTimeout = \"{seconds}\"\n");
        let sequence = deploy().replacen("[variables]\n", &variable, 1);
        let steps = format!("{sequence}\n{}", command("exit 5", ""));
        let (_, report) = run_to_end(machine(
            Firmware::Uefi,
            &MediaBuilder::new(MediaLayout::Iso, &steps),
        ));
        assert_eq!(report.finish, Some(finish), "{seconds}");
    }
}

/// A partition gives the variable its volume, the apply reads it from there, and makes of it what commands use.
#[test]
fn a_partition_can_name_the_volume_of_the_system() {
    let style = "style = \"by-firmware\"";
    let partitions = "partitions = [\n    { kind = \"primary\", size = \"1 GB\", mount-point = \"/data\" },\n    \
                      { kind = \"primary\", size = \"rest\", mount-point = \"/\", variable = \"OSDTargetSystemDrive\" },\n  ]";
    let apply = "[[steps.steps]]\n  type = \"apply-operating-system-image\"";
    let settings = "[[steps.steps]]\n  type = \"apply-os-settings\"";
    let step = |line: &str| command(line, "").replace("[[steps]]", "[[steps.steps]]");
    let sequence = deploy();
    assert!(
        [style, apply, settings]
            .iter()
            .all(|part| sequence.contains(part))
    );
    let sequence = sequence
        .replacen(style, &format!("{style}\n  {partitions}"), 1)
        .replacen(apply, &(step("say before") + apply), 1)
        .replacen(
            settings,
            &(step("touch %OSDTargetSystemDrive%/etc/early") + settings),
            1,
        );
    let media = MediaBuilder::new(MediaLayout::Iso, &sequence);
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert_eq!(commands(&world, "say before").len(), 1, "{}", report.log);
    let mut parts = world.drives[0].parts.iter();
    assert!(parts.any(|part| part.volume.bytes("etc/early").is_some()));
}
