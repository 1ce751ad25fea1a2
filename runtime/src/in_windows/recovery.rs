//! The recovery environment: of an applied Windows, in Windows PE, registered by the program that the image itself has for that; of the
//! Windows that runs, taken into its own volume before a capture, and put in use at the end of a deployment.

use std::time::Duration;

use anyhow::Context as _;

use super::{text, tools};
use crate::log::Log;
use crate::platform::{Files, Machine, Processes, Result, deadline};

const PROGRAM: &str = "reagentc.exe";
/// It copies half a gigabyte.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// Where Windows keeps it while it is not in use. In use, it lies on the recovery partition, which no capture takes.
const IMAGE: &str = "Windows/System32/Recovery/Winre.wim";
/// What Windows knows of it.
const SETTINGS: &str = "Windows/System32/Recovery/ReAgent.xml";
const IN_USE: &str = r#"<InstallState state="1""#;

/// Takes it into the volume of the Windows that runs, so that a captured image has it. One without it is complete otherwise, so a
/// failure is only told.
pub fn take_back(machine: &(impl Files + Machine + Processes + ?Sized), log: &Log) {
    let limit = deadline::at_most(machine, LIMIT);
    let done = tools::run(machine, log, PROGRAM, &["/disable".to_owned()], limit);
    if machine.exists(&machine.root().join(IMAGE)) {
        log.info("the recovery environment (Winre.wim) is on the volume of Windows");
        return;
    }
    let why = match done {
        Ok(_) => "Winre.wim is not on the volume of Windows after that".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    log.warning(format!(
        "the captured image will have no recovery environment: {why}"
    ));
}

/// Puts it in use where the Windows that runs has it and does not use it: its image says that it was disabled before the capture. Also
/// after a step whose time is over.
pub fn put_in_use(machine: &(impl Files + Machine + Processes + ?Sized), log: &Log) {
    if !machine.exists(&machine.root().join(IMAGE)) || is_in_use(machine) {
        return;
    }
    if let Err(error) = tools::run(machine, log, PROGRAM, &["/enable".to_owned()], Some(LIMIT)) {
        log.warning(format!("the recovery environment is not in use: {error:#}"));
    }
}

fn is_in_use(machine: &(impl Files + Machine + ?Sized)) -> bool {
    let settings = machine.read(&machine.root().join(SETTINGS)).ok().flatten();
    let settings =
        settings.map(|bytes| text::decode(&bytes, |bytes| String::from_utf8_lossy(bytes).into_owned()));
    settings.is_some_and(|settings| settings.contains(IN_USE))
}

/// Registers `\Recovery\WindowsRE` of one volume (`R:\`) for the Windows on another one (`W:\`).
///
/// # Errors
/// When the image has no such program, or it fails.
pub fn register(
    processes: &(impl Processes + ?Sized),
    log: &Log,
    windows: &str,
    recovery: &str,
) -> Result<()> {
    let program = format!(r"{windows}Windows\System32\ReAgentc.exe");
    let words = [
        "/setreimage".to_owned(),
        "/path".to_owned(),
        format!(r"{recovery}Recovery\WindowsRE"),
        "/target".to_owned(),
        format!("{windows}Windows"),
    ];
    tools::run(processes, log, &program, &words, None)
        .with_context(|| format!("registering the recovery environment of {windows}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    const ON_VOLUME: &str = "C:/Windows/System32/Recovery/Winre.wim";

    /// The log of what is done with a machine.
    fn logged(machine: &Fake, act: impl Fn(&Fake, &Log)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path());
        act(machine, &log);
        String::from_utf8(log.files().remove(0).1).unwrap()
    }

    #[test]
    fn it_is_taken_back_before_a_capture_and_what_stands_in_the_way_is_only_told() {
        let machine = Fake::default().does("reagentc.exe", |machine| machine.put_file(ON_VOLUME, b"winre"));
        let log = logged(&machine, take_back);
        assert_eq!(machine.ran()[0].arguments, ["/disable"]);
        assert!(log.contains("is on the volume of Windows"), "{log}");
        // It is there already, and the program says that there is nothing to do.
        let machine = Fake::default().ends("reagentc.exe", 2, "Windows RE is already disabled.");
        machine.put_file(ON_VOLUME, b"winre");
        let log = logged(&machine, take_back);
        assert!(!log.contains("will have no"), "{log}");
        for machine in [
            Fake::default(),
            Fake::default().ends("reagentc.exe", 2, "Operation failed"),
        ] {
            let log = logged(&machine, take_back);
            assert!(log.contains("will have no recovery environment"), "{log}");
        }
    }

    #[test]
    fn it_is_put_in_use_where_it_is_there_and_unused() {
        let calls = |settings: &[u8], image: bool| {
            let machine = Fake::default().ends("reagentc.exe", 2, "Operation failed");
            machine.put_file("C:/Windows/System32/Recovery/ReAgent.xml", settings);
            if image {
                machine.put_file(ON_VOLUME, b"winre");
            }
            let log = logged(&machine, put_in_use);
            assert_eq!(log.contains("is not in use"), !machine.ran().is_empty(), "{log}");
            machine
                .ran()
                .into_iter()
                .flat_map(|ran| ran.arguments)
                .collect::<Vec<_>>()
        };
        let unused = br#"<WindowsRE version="2.0"><InstallState state="0"/></WindowsRE>"#;
        let used = br#"<WindowsRE version="2.0"><InstallState state="1"/></WindowsRE>"#;
        assert_eq!(calls(unused, true), ["/enable"]);
        assert_eq!(calls(b"", true), ["/enable"]);
        assert!(calls(used, true).is_empty() && calls(unused, false).is_empty());
    }

    #[test]
    fn the_program_of_the_image_is_called_with_both_volumes() {
        let machine = Fake::default();
        register(&machine, &Log::default(), r"W:\", r"R:\").unwrap();
        let ran = machine.ran();
        assert_eq!(ran[0].program, r"W:\Windows\System32\ReAgentc.exe");
        let words = [
            "/setreimage",
            "/path",
            r"R:\Recovery\WindowsRE",
            "/target",
            r"W:\Windows",
        ];
        assert_eq!(ran[0].arguments, words);
        let refuses = Fake::default().ends("reagentc.exe", 2, "Operation failed");
        let done = register(&refuses, &Log::default(), r"W:\", r"R:\");
        assert!(format!("{:#}", done.unwrap_err()).contains("Operation failed"));
    }
}
