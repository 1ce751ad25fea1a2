//! Commands and scripts of a Linux: where they run, as whom, with what, and what of it can be seen.

use media_format::event::Environment::{Os, Pe};
use media_format::event::Event;
use media_format::manifest::MediaLayout;
use runtime::platform::{Command, Firmware};

use crate::driver::{Answers, Report, run_to_end, run_with};
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::frames::{command, deploys_then, with_first};
use crate::world::World;

/// A deployment with further steps, inside the installed system; the media have scripts.
fn run(steps: &str) -> (World, Report) {
    let mut media = deploys_then(steps);
    media.add_file("tools/hello.sh", "say from a file\n");
    media.add_file("tools/hello.ps1", "say from a file\n");
    run_to_end(machine(Firmware::Uefi, &media))
}

fn script(settings: &str) -> String {
    format!("[[steps]]\ntype = \"run-script\"\n{settings}\n")
}

fn of_package(settings: &str) -> String {
    script(&format!(
        "package = \"files\"\nfile = \"tools/hello.sh\"\n{settings}"
    ))
}

fn inline(text: &str, settings: &str) -> String {
    script(&format!("interpreter = \"sh\"\ninline = \"{text}\"\n{settings}"))
}

/// The one that got this as its standard input.
#[track_caller]
fn with_input<'a>(world: &'a World, input: &str) -> &'a Command {
    let mut fitting = world
        .commands
        .iter()
        .filter(|command| command.stdin == input.as_bytes());
    let (Some(found), None) = (fitting.next(), fitting.next()) else {
        panic!("not exactly one command got {input}: {:#?}", world.commands)
    };
    found
}

#[test]
fn a_script_of_a_package_runs_with_its_arguments_and_its_output_is_kept() {
    let steps = of_package("arguments = [\"a b\", \"%OSDComputerName%\"]\noutput-variable = \"Heard\"")
        + &command("say heard %Heard%", "");
    let (world, report) = run(&steps);
    report.assert_succeeded();
    let ran = world.commands.iter().find(|command| command.arguments.len() == 3);
    let ran = ran.expect("the script");
    assert_eq!(ran.program, "sh");
    assert!(
        ran.arguments[0].ends_with("/packages/files/tools/hello.sh"),
        "{ran:?}"
    );
    assert_eq!(ran.arguments[1..], ["a b", "COMPUTER"]);
    assert!(ran.stdin.is_empty() && ran.account.is_none(), "{ran:?}");
    assert_eq!(ran.environment["OSDComputerName"], "COMPUTER");
    with_input(&world, "say heard from a file");
}

#[test]
fn an_inline_script_is_no_argument_and_has_some() {
    let steps = inline(
        "say inline",
        "arguments = [\"-x\", \"a b\"]\noutput-variable = \"Heard\"",
    ) + &command("say heard %Heard%", "");
    let (world, report) = run(&steps);
    report.assert_succeeded();
    let ran = with_input(&world, "say inline");
    assert_eq!(ran.program, "sh");
    assert_eq!(ran.arguments, ["-s", "--", "-x", "a b"]);
    with_input(&world, "say heard inline");
}

/// By the file's name, unless the step says what runs it.
#[test]
fn what_runs_a_file_is_said_or_follows_from_its_name() {
    for (settings, program) in [
        ("file = \"tools/hello.sh\"", "sh"),
        ("file = \"tools/hello.ps1\"", "pwsh"),
        ("file = \"tools/hello.sh\"\ninterpreter = \"powershell\"", "pwsh"),
        ("file = \"tools/hello.ps1\"\ninterpreter = \"sh\"", "sh"),
    ] {
        let step = script(&format!("package = \"files\"\n{settings}"));
        let (world, _) = run(&step);
        let last = world.commands.last().expect("a command");
        assert_eq!(last.program, program, "{settings}");
        let file = last.arguments.last().expect("a file");
        assert!(file.contains("/tools/hello."), "{settings}: {file}");
    }
    let (world, _) = run(&script("interpreter = \"powershell\"\ninline = \"say hello\""));
    let inline = with_input(&world, "say hello");
    assert_eq!(inline.program, "pwsh");
    assert_eq!(inline.arguments.last().map(String::as_str), Some("-"));
}

/// The working folder is the package's, one in it, or one of the system.
#[test]
fn a_command_and_a_script_run_in_their_working_folder() {
    let package = "package = \"files\"\n";
    for (settings, expected) in [
        (package.to_owned(), "/packages/files"),
        (
            format!("{package}working-folder = \"tools\"\n"),
            "/packages/files/tools",
        ),
        (
            "working-folder = \"/srv/%OSDComputerName%\"\n".into(),
            "/srv/COMPUTER",
        ),
    ] {
        let (world, report) = run(&(command("say one", &settings) + &inline("say two", &settings)));
        report.assert_succeeded();
        for input in ["say one", "say two"] {
            let folder = with_input(&world, input).folder.clone().expect("a folder");
            let is_it = if settings.starts_with(package) {
                folder.to_string_lossy().ends_with(expected)
            } else {
                folder.to_string_lossy() == expected
            };
            assert!(is_it, "{input} in {}", folder.display());
        }
    }
    let (world, _) = run(&command("say one", ""));
    assert_eq!(with_input(&world, "say one").folder, None);
}

#[test]
fn the_step_says_which_codes_are_a_success() {
    for step in [command, inline] {
        for (code, settings, fails) in [
            (0, "", false),
            (4, "", true),
            (4, "success-codes = [4, 5]", false),
            (0, "success-codes = [4, 5]", true),
        ] {
            let (_, report) = run(&step(&format!("exit {code}"), settings));
            if fails {
                let why = format!("it ended with {code} (0x");
                assert!(report.reason().contains(&why), "{}", report.reason());
            } else {
                report.assert_succeeded();
            }
        }
        let (_, report) = run(&step("exit 3010", ""));
        report.assert_succeeded();
        assert_eq!(report.starts, [Pe, Os, Os]);
    }
}

#[test]
fn a_command_and_a_script_run_as_a_user_of_the_machine() {
    for account in ["builder", "LAB\\\\builder"] {
        let settings = format!("account = \"{account}\"");
        let (world, report) = run(&(command("say one", &settings) + &inline("say two", &settings)));
        report.assert_succeeded();
        for input in ["say one", "say two"] {
            let ran = with_input(&world, input);
            assert_eq!(
                ran.account.as_ref().map(|account| account.user.as_str()),
                Some("builder"),
                "{input}"
            );
            // What it could write there would end up in command lines of the administrator.
            assert!(!ran.environment.contains_key("SMSTS_VARIABLES_FILE"));
            assert_eq!(ran.environment["OSDComputerName"], "COMPUTER");
        }
    }
}

const QUIET: &str = "hide-command = true\ncontinue-on-error = true";

/// Everything that anybody could read of a run.
fn shown(report: &Report) -> String {
    format!("{} {:?} {:?}", report.log, report.events, report.ended)
}

#[test]
fn a_hidden_command_is_seen_nowhere_whatever_comes_of_it() {
    // It succeeds, ends with an error, cannot be started, and ends the run.
    let lines = [
        "touch /canary-one",
        "fail-times canary-two 1 5",
        "exit canary-three",
    ];
    let steps: String = lines.iter().map(|line| command(line, QUIET)).collect();
    let (world, report) = run(&(steps + &command("fail-times canary-four 1 6", "hide-command = true")));
    assert!(report.reason().contains("it ended with 6"), "{}", report.reason());
    lines
        .iter()
        .for_each(|line| assert!(!with_input(&world, line).stdin.is_empty()));
    let shown = shown(&report);
    assert!(!shown.contains("canary"), "{shown}");
    assert_eq!(report.log.matches("running: (hidden)").count(), 4);
    let (_, report) = run(&command("touch /canary-one", ""));
    assert!(report.log.contains("running: sh: touch /canary-one"));
}

fn restart(settings: &str) -> String {
    format!("[[steps]]\ntype = \"restart-computer\"\ntarget = \"os\"\n{settings}\n")
}

fn phases(report: &Report) -> Vec<&str> {
    let phase = |event: &'_ Event| matches!(event, Event::Progress { .. });
    let events = report.events.iter().filter(|event| phase(event));
    events
        .map(|event| match event {
            Event::Progress { phase, .. } => phase.as_str(),
            _ => "",
        })
        .collect()
}

#[test]
fn a_restart_shows_its_message_for_a_while() {
    let given = restart("message = \"%OSDComputerName% is back soon\"\ndelay = \"30s\"");
    let variables = "[[steps]]\ntype = \"set-variables\"\nvariables = { SMSRebootTimeout = 30, \
                     SMSRebootMessage = \"COMPUTER is back soon\" }\n";
    for steps in [given, format!("{variables}{}", restart(""))] {
        let (world, report) = run(&steps);
        report.assert_succeeded();
        assert_eq!(report.starts, [Pe, Os, Os]);
        assert!(
            phases(&report).contains(&"COMPUTER is back soon"),
            "{:?}",
            phases(&report)
        );
        assert_eq!(world.waits.last().map(std::time::Duration::as_secs), Some(30));
    }
    let (world, report) = run(&restart(""));
    assert_eq!(report.starts, [Pe, Os, Os]);
    assert!(world.waits.is_empty(), "{:?}", world.waits);
    // Long enough to be read, where somebody is there to read it.
    for (unattended, more, seconds) in [(false, "", 10), (true, "", 3), (false, "delay = \"0s\"", 0)] {
        let mut media = deploys_then(&restart(&format!("message = \"back soon\"\n{more}")));
        media.options.unattended = unattended;
        let (world, report) = run_with(machine(Firmware::Uefi, &media), &Answers(|_| Some("1".into())));
        report.assert_succeeded();
        let waited: Vec<u64> = world.waits.iter().map(std::time::Duration::as_secs).collect();
        assert_eq!(waited, [seconds], "{unattended} {more}");
    }
}

/// A message in a variable is not known before the step runs.
#[test]
fn a_message_that_is_too_long_is_cut() {
    let long = "é".repeat(600);
    let set =
        format!("[[steps]]\ntype = \"set-variables\"\nvariables = {{ SMSRebootMessage = \"{long}\" }}\n");
    let (_, report) = run(&(set + &restart("")));
    report.assert_succeeded();
    let shown = phases(&report).into_iter().find(|phase| phase.starts_with('é'));
    assert_eq!(shown.map(|phase| phase.chars().count()), Some(512));
    assert!(report.log.contains("has 600 characters"), "{}", report.log);
}

#[test]
fn a_script_asks_for_the_boot_image() {
    let steps = command("tell SMSTSRebootRequested=WinPE", "") + &command("say %_SMSTSInWinPE%", "");
    let (world, report) = run(&steps);
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Pe]);
    with_input(&world, "say true");
}

#[test]
fn a_last_command_runs_in_the_boot_image_when_the_run_ends_there() {
    let variable = "[variables]\nSMSTSPostAction = \"say the end\"\n";
    let sequence = deploy().replacen("[variables]\n", variable, 1);
    let back = restart("").replace("\"os\"", "\"pe\"");
    for (text, fails) in [
        (with_first(&sequence, &command("exit 5", "")), true),
        (format!("{sequence}\n{back}"), false),
    ] {
        let media = MediaBuilder::new(MediaLayout::Iso, &text);
        let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
        assert_eq!(report.starts.last(), Some(&Pe));
        let last = world.commands.last().expect("a command");
        assert_eq!(last.stdin, b"say the end");
        assert_eq!(last.environment["_SMSTSInWinPE"], "true");
        if fails {
            assert!(report.reason().contains("ended with 5"));
        } else {
            report.assert_succeeded();
        }
    }
}
