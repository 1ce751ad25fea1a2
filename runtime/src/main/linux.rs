//! On Linux: the first program of the boot image, and the run's continuation inside the installed system.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use media_format::event::Environment;
use media_format::manifest::Finish;
use media_format::paths;
use runtime::attempt::Attempt;
use runtime::log::Log;
use runtime::media::Media;
use runtime::pe;
use runtime::person::Person;
use runtime::platform::linux::Linux;
use runtime::platform::{Command, Platform, Processes as _, Result};
use runtime::reporter::Consoles;
use runtime::run::Finished;
use runtime::start::{self, Start};

/// A stick takes a second, a slow CD changer longer.
const MEDIA_WITHIN: Duration = Duration::from_secs(60);
/// In memory, until the target has a place for the log.
const LOG: &str = "/run/media-runtime/log";
/// Where the run is shown, and questions are asked, besides the serial line.
const SCREEN: &str = "/dev/tty1";

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    if pe::role() == pe::Role::BootImage {
        return in_boot_image();
    }
    let result = match std::env::args().nth(1).as_deref() {
        Some("continue") => in_installed_system(),
        Some("--version") => {
            println!("media-runtime {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "media-runtime runs the task sequence of a media.\n\n\
    It starts by itself in the boot image. Inside the installed system:\n  \
    media-runtime continue     goes on with the run (called by its systemd unit)\n  \
    media-runtime --version";

fn in_boot_image() -> ExitCode {
    // The kernel's command line and consoles can only be read once its file systems are mounted.
    let outcome = pe::start().map_err(anyhow::Error::from).and_then(|environment| {
        let command_line = pe::command_line();
        let serial = serial_ports();
        let log = Log::open(Path::new(LOG));
        environment
            .warnings
            .iter()
            .chain(&command_line.problems)
            .for_each(|problem| log.warning(problem));
        pe::network::start(command_line.network.clone())?;
        let consoles = Consoles::open(&serial, Some(SCREEN));
        if let Err(error) = pe::open_shell(&command_line) {
            log.warning(format!(
                "opening a shell on the screen's second terminal: {error}"
            ));
        }
        let finished = run_from_media(&command_line, &serial, &log, &consoles);
        end_in_boot_image(&finished)
    });
    if let Err(error) = outcome {
        pe::console::say(&format!("error: {error:#}"));
    }
    ExitCode::FAILURE
}

fn serial_ports() -> Vec<String> {
    pe::console::devices()
        .into_iter()
        .filter(|path| !path.contains("/tty1"))
        .collect()
}

fn run_from_media(
    command_line: &pe::CommandLine,
    serial: &[String],
    log: &Log,
    consoles: &Consoles,
) -> Finished {
    let platform = Linux::new();
    let attempt = Attempt {
        platform: &platform,
        here: Environment::Pe,
        log,
        reporter: consoles,
    };
    let id = command_line.media_id.as_deref();
    let media = id
        .context("the kernel's command line names no media (media.id=...)")
        .and_then(|id| find_media(&platform, id, log));
    attempt.go(media, |media| begin(&attempt, media, serial))
}

fn begin(attempt: &Attempt<'_>, media: &Media, serial: &[String]) -> Result<Finished> {
    let log = attempt.log;
    wait_for_disks(log)?;
    pe::use_processor_features()?;
    let serial_console = serial.first().cloned();
    let terminals = std::iter::once(SCREEN.to_owned()).chain(serial.iter().cloned());
    let operator = Person {
        terminals: terminals.collect(),
        prompts: None,
    };
    start::go(&Start {
        platform: attempt.platform,
        media,
        here: attempt.here,
        begins: false,
        log,
        log_on_target: true,
        reporter: attempt.reporter,
        operator: &operator,
        serial_console,
    })
}

/// A disk that is found after the media must be seen when the target is selected, and when the journal is looked for: without it a
/// run would begin anew. Disks on USB come last: a copy of the media, or one of two that fit a rule, may be there before the other.
fn wait_for_disks(log: &Log) -> Result<()> {
    // What USB has found is announced in turn.
    if pe::settle() {
        if !pe::settle_usb() {
            log.warning("a device on USB does not say which disks it has: the run goes on without them");
        }
        if pe::settle() {
            return Ok(());
        }
    }
    bail!(
        "not all disks are known: a driver still looks for its devices. Look at the controllers and their disks; a driver that does \
         not come to an end is left out by `modprobe.blacklist=NAME` on the kernel's command line. Nothing has been changed"
    )
}

fn find_media(platform: &dyn Platform, id: &str, log: &Log) -> Result<Media> {
    let found = pe::wait_for(MEDIA_WITHIN, || match Media::find(platform, id) {
        Ok(found) => found.map(Ok),
        Err(error) => Some(Err(error)),
    });
    match found {
        Some(media) => {
            log.info(format!("found media {id}"));
            media
        }
        None => bail!(
            "the media {id} that started this machine is on none of its disks: is it still attached, was the image written to the stick as it is \
             (not its files copied), and does the boot image have the driver of its controller?"
        ),
    }
}

fn end_in_boot_image(finished: &Finished) -> Result<()> {
    let ended = match finished {
        Finished::Restart(_)
        | Finished::Over {
            finish: Finish::Restart,
            ..
        } => pe::power::restart(),
        Finished::ShutDown(_)
        | Finished::Over {
            finish: Finish::Shutdown,
            ..
        } => pe::power::power_off(),
        Finished::NotBegun
        | Finished::Over {
            finish: Finish::Wait, ..
        } => loop {
            std::thread::park();
        },
    };
    ended
        .map(|never| match never {})
        .context("ending the machine's run")
}

fn in_installed_system() -> Result<()> {
    let log = Log::open(Path::new(LOG));
    let id = std::fs::read_to_string(Path::new(paths::INSTALLED).join("media-id"))
        .context("reading which media this run belongs to")?;
    let platform = Linux::new();
    let serial = runtime::boot_state::serial_console(&platform, id.trim());
    let consoles = Consoles::open(&serial, Some(SCREEN));
    let attempt = Attempt {
        platform: &platform,
        here: Environment::Os,
        log: &log,
        reporter: &consoles,
    };
    load_file_systems(&platform, &log);
    let media = find_media_again(&platform, id.trim(), &log);
    let finished = attempt.go(media, |media| continue_run(&attempt, &platform, media, serial));
    let verb = match finished {
        Finished::Restart(_)
        | Finished::Over {
            finish: Finish::Restart,
            ..
        } => "reboot",
        Finished::ShutDown(_)
        | Finished::Over {
            finish: Finish::Shutdown,
            ..
        } => "poweroff",
        Finished::NotBegun => return Ok(()),
        Finished::Over {
            finish: Finish::Wait,
            failure,
        } => match failure {
            Some(reason) => bail!("{reason}"),
            None => return Ok(()),
        },
    };
    platform.run(&Command {
        program: "systemctl".into(),
        arguments: vec![verb.into()],
        ..Command::default()
    })?;
    Ok(())
}

fn continue_run(
    attempt: &Attempt<'_>,
    platform: &Linux,
    media: &Media,
    serial: Vec<String>,
) -> Result<Finished> {
    let operator = Person {
        terminals: std::iter::once(SCREEN.to_owned()).chain(serial).collect(),
        prompts: Some(platform),
    };
    start::go(&Start {
        platform,
        media,
        here: attempt.here,
        begins: false,
        log: attempt.log,
        log_on_target: true,
        reporter: attempt.reporter,
        operator: &operator,
        serial_console: None,
    })
}

/// The media's and the boot partition's file systems may be modules of the installed system.
fn load_file_systems(platform: &Linux, log: &Log) {
    let arguments = ["-a", "vfat", "exfat", "iso9660", "nls_ascii", "nls_utf8"]
        .map(str::to_owned)
        .to_vec();
    let output = platform.run(&Command {
        program: "modprobe".into(),
        arguments,
        ..Command::default()
    });
    if let Err(error) = output {
        log.warning(format!("loading file systems: {error:#}"));
    }
}

fn find_media_again(platform: &Linux, id: &str, log: &Log) -> Result<Media> {
    let end = std::time::Instant::now() + MEDIA_WITHIN;
    loop {
        if let Some(media) = Media::find(platform, id)? {
            log.info(format!("found media {id}"));
            return Ok(media);
        }
        if std::time::Instant::now() > end {
            bail!(
                "the media {id} is on none of the machine's disks: attach it again and restart the machine"
            );
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
