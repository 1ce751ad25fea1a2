//! Steps inside Windows: the client, scripts, and what exit codes mean.

use media_format::event::Environment::{Os, Pe};
use media_format::hive::Value;
use media_format::manifest::{Install, MediaLayout};
use runtime::platform::{Account, Command};

use crate::driver::{Report, run_to_end};
use crate::fixture::{CAPTURE_CANARY, JOIN_CANARY, MediaBuilder};
use crate::frames::deploy_windows;
use crate::hives::value;
use crate::windows::{SOFTWARE_HIVE, SYSTEM_HIVE, WINRE, WINRE_IN_USE, info, installation, wim, with_files};
use crate::windows_runs::{BUILD_AND_CAPTURE, INSIDE, captured, media, template, with_controller};
use crate::world::{Node, World};

/// A deployed Windows with those applications, and further steps in it.
fn deployed(client: &str, steps: &str, add: impl Fn(&mut MediaBuilder)) -> (World, Report) {
    let text = deploy_windows();
    let setup = "type = \"setup-os\"";
    assert!(text.contains(setup));
    let text = text.replace(setup, &format!("{setup}\n{client}"));
    let mut media = media(MediaLayout::Iso, &(text + "\n" + steps));
    add(&mut media);
    run_to_end(with_controller(&media))
}

fn command(media: &mut MediaBuilder, id: &str, line: &str) {
    media.add_application(id, Install::Command(line.into()));
}

/// The lines that cmd.exe was given.
fn lines(world: &World) -> Vec<&str> {
    let cmd = world
        .commands
        .iter()
        .filter(|command| command.program == "cmd.exe");
    cmd.map(|command| command.raw.trim_matches('"')).collect()
}

const CLIENT: &str = "  client-package = \"client\"\n";

#[test]
fn the_client_is_installed_in_windows_with_its_properties() {
    let properties = format!("{CLIENT}  client-properties = \"SMSSITECODE=%SITE% /quiet\"\n");
    let sites = "[[steps]]\ntype = \"run-command-line\"\ncommand = \"say the end\"\n";
    let (world, report) = deployed(&properties, sites, |media| {
        media.options.variables.insert("SITE".into(), "ABC".into());
        command(media, "client", "ccmsetup.exe");
    });
    report.assert_succeeded();
    assert_eq!(
        lines(&world),
        ["ccmsetup.exe SMSSITECODE=ABC /quiet", "say the end"]
    );
    assert_eq!(report.starts, [Pe, Os]);
    let said = "the ConfigMgr client is installed";
    assert!(report.log.contains(said), "{}", report.log);
}

#[test]
fn a_program_of_windows_in_the_linux_pe_fails_and_is_told_where_it_belongs() {
    let step = "type = \"run-command-line\"\n  command = \"xcopy a b\"\n\n  [[steps.steps]]\n  ";
    let text = deploy_windows();
    let setup = "type = \"setup-os\"";
    let text = text.replacen(setup, &format!("{step}{setup}"), 1);
    let (_, report) = run_to_end(with_controller(&media(MediaLayout::Iso, &text)));
    for why in ["it ended with 127", "xcopy", "behind `setup-os`"] {
        assert!(report.reason().contains(why), "{}", report.reason());
    }
}

#[test]
fn a_set_up_of_the_client_that_ends_without_one_fails_the_step() {
    let properties = format!("{CLIENT}  client-properties = \"FAILS\"\n");
    let (_, report) = deployed(&properties, "", |media| command(media, "client", "ccmsetup.exe"));
    for why in ["ConfigMgr client is not installed", r"ccmsetup\Logs\ccmsetup.log"] {
        assert!(report.reason().contains(why), "{}", report.reason());
    }
    // Whoever has called it.
    let (world, report) = deployed(CLIENT, "", |media| command(media, "client", "own-script.cmd"));
    report.assert_succeeded();
    assert_eq!(lines(&world), ["own-script.cmd"]);
    assert!(
        report.log.contains("the ConfigMgr client is installed"),
        "{}",
        report.log
    );
    let (_, report) = deployed(CLIENT, "", |media| {
        command(media, "client", "own-script.cmd FAILS")
    });
    assert!(
        report.reason().contains("ConfigMgr client is not installed"),
        "{}",
        report.reason()
    );
    // Another agent says by its exit code that it is there.
    let (_, report) = deployed(CLIENT, "", |media| command(media, "client", "say agent.exe"));
    report.assert_succeeded();
    assert!(!report.log.contains("ConfigMgr"), "{}", report.log);
}

#[test]
fn a_client_that_asks_for_a_restart_gets_it_once_and_one_that_fails_ends_the_run() {
    let (world, report) = deployed(CLIENT, "", |media| command(media, "client", "exit 3010"));
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Os]);
    assert_eq!(lines(&world), ["exit 3010"]);
    let (_, report) = deployed(CLIENT, "", |media| command(media, "client", "exit 1603"));
    let why = "failed with 1603 (0x00000643): installing the client package \"client\" failed";
    assert!(report.reason().contains(why), "{}", report.reason());
}

const SCRIPT: &str = "[[steps]]\ntype = \"run-script\"\nname = \"Script\"\ninterpreter = \"powershell\"\n\
    inline = \"say caf\u{e9}\"\narguments = [\"-First\", \"a b\"]\noutput-variable = \"SAID\"\n";

#[test]
fn an_inline_script_is_run_by_powershell_from_a_file_that_is_gone_afterwards() {
    let says = "[[steps]]\ntype = \"run-command-line\"\ncommand = \"say it was %SAID%\"\n";
    let (world, report) = deployed("", &format!("{SCRIPT}{says}"), |_| ());
    report.assert_succeeded();
    let is_powershell = |one: &&Command| one.program == "powershell.exe";
    let ran: Vec<_> = world.commands.iter().filter(is_powershell).collect();
    let [ran] = ran[..] else { panic!("{ran:?}") };
    let file = r"\ProgramData\media-runtime\script.ps1";
    assert_eq!(ran.arguments[4..], ["-File", file, "-First", "a b"]);
    assert_eq!(ran.environment["OSDTimeZone"], "UTC");
    assert_eq!(lines(&world), ["say it was caf\u{e9}"]);
    let told = r"\ProgramData\media-runtime\variables";
    assert_eq!(ran.environment["SMSTS_VARIABLES_FILE"], told);
    let file = file.replace('\\', "/");
    let removed = format!("remove {} of {file}", &file[1..]);
    assert!(world.operations.contains(&removed), "{removed}");
    let shell = SCRIPT.replace("\"powershell\"", "\"sh\"");
    let (_, report) = deployed("", &shell, |_| ());
    assert!(
        report.reason().contains("Windows has no POSIX shell"),
        "{}",
        report.reason()
    );
}

const AS_BUILDER: &str = "account = \"LAB\\\\builder\"\npassword = \"%BUILDER_PASSWORD%\"\n";

fn as_builder(line: &str) -> String {
    format!("[[steps]]\ntype = \"run-command-line\"\ncommand = \"{line}\"\n{AS_BUILDER}")
}

/// A Windows is deployed, with steps before that and after it.
fn with_password(before: &str, after: &str) -> (World, Report) {
    let text = deploy_windows();
    let text = text.replacen("[[steps]]", &format!("{before}\n[[steps]]"), 1);
    let media = media(MediaLayout::Iso, &(text + "\n" + after));
    run_to_end(with_controller(&media.secret("BUILDER_PASSWORD", CAPTURE_CANARY)))
}

#[test]
fn a_command_and_a_script_run_as_an_account_whose_password_is_nowhere() {
    let steps = as_builder("say one")
        + SCRIPT
        + AS_BUILDER
        + "[[steps]]\ntype = \"run-command-line\"\ncommand = \"say two\"\n";
    let (world, report) = with_password("", &steps);
    report.assert_succeeded();
    let of = |program: &str| -> Vec<_> {
        let ran = world.commands.iter().filter(|command| command.program == program);
        ran.map(|command| command.account.as_ref()).collect()
    };
    let builder = Account {
        user: r"LAB\builder".into(),
        password: CAPTURE_CANARY.into(),
    };
    assert_eq!(of("cmd.exe"), [Some(&builder), None]);
    assert_eq!(of("powershell.exe").last(), Some(&Some(&builder)));
    // The folder of the script is the administrator's.
    let granted = world
        .commands
        .iter()
        .find(|command| command.program == "icacls.exe");
    assert_eq!(
        granted.expect("the right to read it").arguments,
        [
            r"\ProgramData\media-runtime\script.ps1",
            "/grant",
            r"LAB\builder:(R)"
        ]
    );
    for part in [r"cmd: say one as LAB\builder", "cmd: say two]LOG"] {
        assert!(report.log.contains(part), "{part}: {}", report.log);
    }
    let rest = world.commands.iter().map(|command| Command {
        account: None,
        ..command.clone()
    });
    let shown = format!(
        "{}{:?}{:?}{builder:?}",
        report.log,
        report.events,
        rest.collect::<Vec<_>>()
    );
    assert!(!shown.contains(CAPTURE_CANARY), "{shown}");
}

#[test]
fn an_account_that_may_not_read_its_script_and_one_in_the_boot_image_are_refused() {
    let script = SCRIPT.to_owned() + &AS_BUILDER.replace("builder", "nobody");
    let (world, report) = with_password("", &script);
    let why = r"letting LAB\nobody read the script ended with 1332";
    assert!(report.reason().contains(why), "{}", report.reason());
    let file = "remove ProgramData/media-runtime/script.ps1 of /ProgramData/media-runtime/script.ps1";
    assert!(world.operations.iter().any(|one| one == file), "{file}");

    let (world, report) = with_password(&as_builder("say one"), "");
    let why = "the machine is in the boot image, which has no accounts";
    assert!(report.reason().contains(why), "{}", report.reason());
    assert!(lines(&world).is_empty());
}

/// An image with its recovery environment there.
fn put_with(media: &mut MediaBuilder, winre: &str) {
    let tree = with_files(installation("IMAGE_STATE_COMPLETE"), &[(winre, b"recovery")]);
    media.put_image("windows", &wim(&tree, Some(info(9))));
}

#[test]
fn the_recovery_environment_comes_into_the_captured_image_and_is_put_in_use_where_that_is_deployed() {
    let of_recovery = |world: &World| {
        let commands = world.commands.iter();
        let of_recovery = commands.filter(|command| command.program == "reagentc.exe");
        of_recovery
            .flat_map(|command| command.arguments.clone())
            .collect::<Vec<_>>()
    };
    let mut media = media(MediaLayout::Iso, &template(BUILD_AND_CAPTURE, &INSIDE));
    put_with(&mut media, WINRE_IN_USE);
    let (world, report) = run_to_end(with_controller(&media));
    report.assert_succeeded();
    assert!(captured(&world).images[0].tree().contains_key(WINRE));
    assert_eq!(of_recovery(&world), ["/disable"]);
    let (world, report) = deployed("", "", |media| put_with(media, WINRE));
    report.assert_succeeded();
    assert_eq!(of_recovery(&world), ["/enable"]);
    let (world, report) = deployed("", "", |_| ());
    report.assert_succeeded();
    assert!(of_recovery(&world).is_empty());
}

#[test]
fn what_a_capture_could_not_hold_is_unpacked_or_refused_while_windows_still_runs() {
    let media = media(MediaLayout::Iso, &template(BUILD_AND_CAPTURE, &INSIDE));
    let place = |world: &World, program: &str| {
        let mut commands = world.commands.iter();
        commands.position(|command| command.program.ends_with(program))
    };
    let mut world = with_controller(&media);
    world.compressed = true;
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    assert!(place(&world, "compact.exe").is_some());
    assert!(place(&world, "compact.exe") < place(&world, "sysprep.exe"));
    let mut world = with_controller(&media);
    (world.compressed, world.deduplicated) = (true, ["/dev/vda3".into()].into());
    let (world, report) = run_to_end(world);
    let reason = report.reason();
    assert_eq!(reason.matches("has deduplicated files").count(), 1, "{reason}");
    assert!(reason.contains("-Type Unoptimization"), "{reason}");
    // Nothing was changed by then.
    for program in ["compact.exe", "reagentc.exe", "sysprep.exe"] {
        assert_eq!(place(&world, program), None, "{program}");
    }
}

#[test]
fn a_command_works_in_the_folder_of_its_package_as_windows_writes_it() {
    let step = "[[steps]]\ntype = \"run-command-line\"\ncommand = \"say here\"\npackage = \"drivers\"\n\
                working-folder = \"vmd\"\n";
    let (world, report) = deployed("", step, |_| ());
    report.assert_succeeded();
    let here = world
        .commands
        .iter()
        .find(|command| command.raw == "\"say here\"");
    let folder = here.unwrap().folder.as_ref().unwrap().to_str().unwrap();
    assert!(folder.ends_with(r"\packages\drivers\vmd"), "{folder}");
    assert!(!folder.contains('/'), "{folder}");
}

fn list(ids: &str) -> String {
    format!("[[steps]]\ntype = \"install-applications\"\nname = \"List\"\napplications = [{ids}]\n")
}

/// Windows Installer says so when it has begun a restart by itself.
#[test]
fn an_application_that_ends_with_1641_is_followed_by_a_restart_and_then_by_the_next() {
    let (world, report) = deployed("", &list("\"starts-restart\", \"next\""), |media| {
        command(media, "starts-restart", "exit 1641");
        command(media, "next", "say next");
    });
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Os]);
    assert_eq!(lines(&world), ["exit 1641", "say next"]);
}

#[test]
fn a_package_says_itself_which_codes_are_a_success_and_which_ask_for_a_restart() {
    let own = |media: &mut MediaBuilder| {
        for (id, line) in [
            ("fine", "exit 7"),
            ("restarts", "exit 99"),
            ("usual", "exit 3010"),
        ] {
            command(media, id, line);
            let package = media.packages.last_mut().unwrap();
            package.success_codes = vec![7];
            package.restart_codes = vec![99];
        }
    };
    let (world, report) = deployed("", &list("\"fine\", \"restarts\""), own);
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Os]);
    assert_eq!(lines(&world), ["exit 7", "exit 99"]);
    // What is usual means nothing for a package with codes of its own.
    let (_, report) = deployed("", &list("\"usual\""), own);
    assert!(
        report.reason().contains("failed with 3010"),
        "{}",
        report.reason()
    );
}

/// A deployed Windows that was in that workgroup and domain, and joins the workgroup LAB.
fn joins(workgroup: &str, domain: Option<&str>, variables: &[(&str, &str)]) -> (World, Report) {
    let join = "[[steps]]\ntype = \"join-domain-or-workgroup\"\njoin = \"workgroup\"\nworkgroup = \"LAB\"\n";
    let mut media = media(MediaLayout::Iso, &format!("{}\n{join}", deploy_windows()));
    for (name, text) in variables {
        media.options.variables.insert((*name).into(), (*text).into());
    }
    let mut world = with_controller(&media);
    (world.workgroup, world.domain) = (workgroup.into(), domain.map(Into::into));
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    assert!(
        report.log.contains("the machine is in workgroup LAB"),
        "{}",
        report.log
    );
    (world, report)
}

#[test]
fn windows_joins_a_workgroup_and_restarts_where_that_changed_anything() {
    for (workgroup, domain, starts) in [
        ("WORKGROUP", None, &[Pe, Os, Os][..]),
        ("LAB", None, &[Pe, Os]),
        ("LAB", Some("corp.example"), &[Pe, Os, Os]),
    ] {
        let (world, report) = joins(workgroup, domain, &[]);
        assert_eq!(report.starts, starts, "{workgroup} {domain:?}");
        assert_eq!((world.workgroup.as_str(), world.domain), ("LAB", None));
    }
    let (world, report) = joins("WORKGROUP", None, &[("OSDJoinSkipReboot", "true")]);
    assert_eq!(report.starts, [Pe, Os]);
    assert_eq!(world.workgroup, "LAB");
}

/// What the captured image has of the client: its service, and a certificate that it is known by.
fn captured_client(treatment: &str) -> (Option<Value>, Option<Value>, Report) {
    let text = template(BUILD_AND_CAPTURE, &INSIDE);
    let (setup, prepare) = ("type = \"setup-os\"", "type = \"prepare-client-for-capture\"");
    assert!(text.contains(setup) && text.contains(prepare));
    let text = text
        .replace(setup, &format!("{setup}\n{CLIENT}"))
        .replace(prepare, &format!("{prepare}\n{treatment}"));
    let mut media = media(MediaLayout::Iso, &text);
    command(&mut media, "client", "ccmsetup.exe");
    let (world, report) = run_to_end(with_controller(&media));
    report.assert_succeeded();
    let wim = captured(&world);
    let found = |hive: &str, key: &str, name: &str| match &wim.images[0].tree()[hive] {
        Node::File(bytes, _) => value(bytes, key, name),
        other => panic!("{other:?}"),
    };
    let certificate = r"Microsoft\SystemCertificates\SMS\Certificates\0A1B";
    (
        found(SYSTEM_HIVE, r"ControlSet001\Services\CcmExec", "Start"),
        found(SOFTWARE_HIVE, certificate, "Blob"),
        report,
    )
}

#[test]
fn the_client_loses_its_identity_before_the_capture_or_goes_as_a_whole() {
    let (service, certificate, report) = captured_client("");
    assert_eq!((service, certificate), (Some(Value::Dword(2)), None));
    assert!(
        report.log.contains("removed the client's certificate 0A1B"),
        "{}",
        report.log
    );
    let (service, _, report) = captured_client("  treatment = \"remove-agent\"\n");
    assert_eq!(service, None, "{}", report.log);
    assert!(
        report.log.contains("the ConfigMgr client is uninstalled"),
        "{}",
        report.log
    );
}

#[test]
fn a_program_of_a_package_is_run_in_windows_and_its_restart_is_done() {
    let step = "[[steps]]\ntype = \"install-package\"\npackage = \"tool\"\nprogram = \"set-up\"\n";
    let (world, report) = deployed("", step, |media| {
        command(media, "tool", "say another one");
        let programs = [("set-up", "exit 3010"), ("other", "say another one")];
        media.set_programs("tool", &programs);
    });
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Os]);
    assert_eq!(lines(&world), ["exit 3010"]);
    let (_, report) = deployed("", step, |media| {
        command(media, "tool", "say another one");
        media.set_programs("tool", &[("set-up", "exit 5")]);
    });
    let why = "package \"tool\" ended with 5";
    assert!(report.reason().contains(why), "{}", report.reason());
}

#[test]
fn windows_keeps_its_activation_where_a_variable_says_so() {
    let skips_rearm = |keeps: Option<&str>| {
        let mut media = media(MediaLayout::Iso, &template(BUILD_AND_CAPTURE, &INSIDE));
        let variables = &mut media.options.variables;
        variables.extend(keeps.map(|text| ("OSDKeepActivation".into(), text.into())));
        let (world, report) = run_to_end(with_controller(&media));
        report.assert_succeeded();
        let wim = captured(&world);
        let Node::File(software, _) = &wim.images[0].tree()[SOFTWARE_HIVE] else {
            panic!("no hive")
        };
        let key = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform";
        value(software, key, "SkipRearm")
    };
    assert_eq!(skips_rearm(None), None);
    assert_eq!(skips_rearm(Some("true")), Some(Value::Dword(1)));
}

/// Windows shows nothing of a run, so the message of a restart comes into a window; a secret in it does not.
#[test]
fn the_message_of_a_restart_is_shown_in_windows_and_the_machine_restarts_where_that_cannot_be() {
    let step = "[[steps]]\ntype = \"restart-computer\"\ntarget = \"os\"\nmessage = \"Back soon, %OSDJoinPassword%\"\n";
    let media = media(MediaLayout::Iso, &format!("{}\n{step}", deploy_windows()));
    for screen_is_gone in [false, true] {
        let mut world = with_controller(&media);
        world.screen_is_gone = screen_is_gone;
        let (world, report) = run_to_end(world);
        report.assert_succeeded();
        assert_eq!(report.starts, [Pe, Os, Os]);
        let [told] = &world.told[..] else {
            panic!("{:?}", world.told)
        };
        assert!(
            told.starts_with("Back soon, ") && !told.contains(JOIN_CANARY),
            "{told}"
        );
        let warned = report
            .log
            .contains("the message cannot be shown on the machine's screen");
        assert_eq!(warned, screen_is_gone, "{}", report.log);
    }
}
