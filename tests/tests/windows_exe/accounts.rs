//! Commands that run as another account. Wine has no accounts to speak of: a stand-in for `LogonUserW` knows one password, and
//! everything behind it is the runtime's and Wine's own. So these show the logon that is asked for, what comes back of a program and
//! that the password stays nowhere; not what the account may do, its profile, nor a service's desktop.

use std::fs;

use media_format::manifest::PackageKind;
use media_format::paths;

use super::machine::{Machine, content};
use super::step;

const PASSWORD: &str = "Canary-4711";

fn as_account(line: &str, name: &str, settings: &str) -> String {
    let account = format!("account = '{name}'\npassword = \"%BUILDER_PASSWORD%\"");
    step(
        "run-command-line",
        &format!("command = '{line}'\n{account}\n{settings}"),
    )
}

fn machine(password: &str, steps: &str) -> Machine {
    let tool = content("tool", PackageKind::Application, &[("sub/note.txt", b"a note")]);
    let steps = steps.to_owned() + &step("restart-computer", "target = \"pe\"");
    let machine = Machine::with_secret(&steps, vec![tool], ("BUILDER_PASSWORD", password));
    machine.knows_a_password();
    machine
}

/// The password is in no file of the machine that a run writes: logs, journal, state.
#[track_caller]
fn is_nowhere(machine: &Machine, password: &str) {
    let wide: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for root in [machine.c(paths::INSTALLED_WINDOWS), machine.esp("")] {
        for file in files_below(&root) {
            // What plays the logon knows the password.
            if file.ends_with("netapi32.dll") {
                continue;
            }
            let bytes = fs::read(&file).expect("a file of the run");
            for form in [password.as_bytes(), &wide] {
                let found = bytes.windows(form.len()).any(|part| part == form);
                assert!(!found, "{} has the password", file.display());
            }
        }
    }
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the run");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.flat_map(|path| {
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    });
    files.collect()
}

#[test]
fn a_command_runs_as_an_account_and_its_output_code_and_folder_come_back() {
    let line =
        "type note.txt& cd& echo %USERPROFILE% %OSDPlain% %PATH%& set BUILDER& more& echo bad>&2& exit 7";
    let settings =
        "package = \"tool\"\nworking-folder = 'sub'\noutput-variable = \"SAID\"\nsuccess-codes = [7]";
    let steps = step("set-variables", "variables = { OSDPlain = \"a plain one\" }")
        + &as_account(line, r"LAB\builder", settings)
        + &as_account(
            "echo %_SMSTSLastActionRetCode%",
            "planner@lab.example",
            "output-variable = \"CODE\"",
        );
    let mut machine = machine(PASSWORD, &steps);
    machine.goes_on();
    machine.until_shutdown();
    let journal = machine.journal();
    let said = journal["variables"]["SAID"].as_str().expect("what it said");
    for part in [
        "a note",
        r"D:\packages\tool\sub",
        r"C:\users\",
        "a plain one",
        r"C:\windows\system32",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(journal["variables"]["CODE"], "7");
    let log = machine.log();
    for part in [r"as LAB\builder", "it ended with 7", "bad"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    // 2 is somebody at the machine, 4 a batch job.
    assert_eq!(
        machine.logons(),
        ["LAB builder 2", "(none) planner@lab.example 2"]
    );
    is_nowhere(&machine, PASSWORD);
}

#[test]
fn an_account_that_may_not_log_on_at_the_machine_does_so_as_a_batch_job_and_a_time_limit_ends_its_programs() {
    let slow =
        r"start /b cmd /c ping -n 12 127.0.0.1 ^>nul ^& echo late^> C:\late.txt & ping -n 60 127.0.0.1 >nul";
    let steps = as_account(slow, "planner", "timeout = \"4 s\"\ncontinue-on-error = true")
        + &step("run-command-line", "command = 'ping -n 14 127.0.0.1 >nul'");
    let mut machine = machine(PASSWORD, &steps);
    machine.goes_on();
    machine.until_shutdown();
    assert!(machine.log().contains("time limit"), "{}", machine.log());
    assert!(!machine.c("late.txt").exists(), "the child went on");
    assert_eq!(machine.logons(), [". planner 2", ". planner 4"]);
}

#[test]
fn a_wrong_password_fails_the_step_and_says_why() {
    let wrong = "Canary-0815";
    let machine = machine(wrong, &as_account("echo never> C:\\never.txt", r".\builder", ""));
    let output = machine.runtime("continue");
    assert_eq!(output.status.code(), Some(1));
    let log = machine.log();
    let why = r"logging on .\builder: the account is refused: check its name and password (";
    assert!(log.contains(why), "{log}");
    assert_eq!(machine.logons(), [". builder 2"]);
    assert!(!machine.c("never.txt").exists());
    is_nowhere(&machine, wrong);
}
