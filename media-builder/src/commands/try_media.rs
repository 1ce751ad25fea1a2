//! `media-builder try`.

use std::path::PathBuf;
use std::time::Duration;

use crate::try_media::follow::{Cut, Limits};
use crate::try_media::machine::{Accelerator, Attach, Bus, Firmware};
use crate::try_media::session::Screenshots;
use crate::try_media::storage::Size;
use crate::try_media::wanted_disk::WantedDisk;
use crate::try_media::{self, Options};

/// What to try, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  media-builder try demo.iso --second-disk 4G
  media-builder try demo.img --firmware secure-boot --disk-bus nvme
  media-builder try demo.img --disk 20G,bus=nvme,sectors=4096 --disk 4G,bus=sata,serial=OTHER
  media-builder try demo.iso --firmware bios --disk-bus sata --share --then-boot")]
pub struct Args {
    /// The media: an ISO or the image of a stick. It is not changed.
    #[arg(value_name = "MEDIA")]
    media: PathBuf,
    /// What starts the machine.
    #[arg(long, value_enum, default_value = "uefi")]
    firmware: Firmware,
    /// What the firmware's variables are at first, such as keys of your own for Secure Boot [default: those of OVMF].
    #[arg(long, value_name = "FILE")]
    firmware_variables: Option<PathBuf>,
    /// How the media is attached [default: an ISO as CD, an image as stick].
    #[arg(long, value_enum)]
    attach: Option<Attach>,
    /// The firmware starts the disks before the media [default: the media first].
    #[arg(long)]
    media_last: bool,
    /// A disk: its size when it is empty, or a raw image, which is changed; behind it, each after a comma, what else is to be said
    /// of this disk: bus=BUS (as --disk-bus), serial=TEXT, sectors=4096. Can be given several times.
    #[arg(long, value_name = "SIZE|FILE[,...]", default_value = "20G")]
    disk: Vec<WantedDisk>,
    /// The machine has no disk.
    #[arg(long, conflicts_with_all = ["disk", "then_boot"])]
    no_disk: bool,
    /// What the disks hang on that do not say it themselves.
    #[arg(long, value_enum, default_value = "virtio")]
    disk_bus: Bus,
    /// A disk on USB beside the others, such as a stick that somebody forgot: its size, or a raw image, which is changed. Can be
    /// given several times.
    #[arg(long, value_name = "SIZE|FILE[,serial=TEXT]")]
    usb_disk: Vec<WantedDisk>,
    /// An additional disk with an empty exFAT volume "CAPTURE".
    #[arg(long, value_name = "SIZE")]
    second_disk: Option<Size>,
    /// Memory.
    #[arg(long, value_name = "SIZE", default_value = "2G")]
    memory: Size,
    /// Processors.
    #[arg(long, value_name = "NUMBER", default_value = "2")]
    cpus: u32,
    /// QEMU's name of the processor [default: max; by translation without what is slow there].
    #[arg(long, value_name = "NAME")]
    cpu: Option<String>,
    /// QEMU's name of the network card, or "none". The machine never reaches a network.
    #[arg(long, value_name = "NAME", default_value = "virtio-net-pci")]
    nic: String,
    /// Offer the machine a share //10.0.2.100/captures, user "capture".
    #[arg(long)]
    share: bool,
    /// Password of the share [default: a random one, which is printed].
    #[arg(long, value_name = "PASSWORD", requires = "share")]
    share_password: Option<String>,
    /// Folder for what the run captured, its logs and the serial log [default: NAME.captured].
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Save the screen when the run ends (PNG, or PPM by its name).
    #[arg(long, value_name = "FILE")]
    screenshot: Option<PathBuf>,
    /// Save the screen also every so many seconds.
    #[arg(long, value_name = "SECONDS", requires = "screenshot")]
    screenshot_every: Option<u64>,
    /// What runs the machine's code [default: KVM where a probe of it boots, else translation].
    #[arg(long)]
    accelerator: Option<Accelerator>,
    /// Give up after so many minutes.
    #[arg(long, value_name = "MINUTES", default_value = "60")]
    timeout: u64,
    /// Give up when the machine says nothing for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    silence: u64,
    /// Give up when the machine restarts more often.
    #[arg(long, value_name = "NUMBER", default_value = "12")]
    restarts: u32,
    /// Folder for the disks and everything else of the run, which is kept.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Afterwards start the machine from its disk, without the media, until it asks for a login.
    #[arg(long)]
    then_boot: bool,
    /// Text that must then appear on its serial port. Can be given several times.
    #[arg(long, value_name = "TEXT", requires = "then_boot", default_value = "login:")]
    expect: Vec<String>,
    /// Cut the power so many seconds after the step of this name began, and switch it on again. Once each; it is an error when
    /// the step has ended before.
    #[arg(long, value_name = "STEP[:SECONDS]")]
    kill_at: Vec<Cut>,
    /// Show the machine's screen in a window.
    #[arg(long)]
    display: bool,
    /// Print the run's events and its result as lines of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Tries the media.
///
/// # Errors
/// When the run cannot be made or fails.
pub fn run(args: Args) -> anyhow::Result<()> {
    let options = resolve(args);
    let report = try_media::run(&options)?;
    let text = if options.json {
        report.to_json() + "\n"
    } else {
        report.to_text()
    };
    super::print_bytes(text.as_bytes())
}

fn resolve(args: Args) -> Options {
    let output = args.output.unwrap_or_else(|| {
        let stem = args.media.file_stem().unwrap_or_default().to_string_lossy();
        PathBuf::from(format!("{stem}.captured"))
    });
    Options {
        limits: Limits {
            silence: Duration::from_secs(args.silence),
            total: Duration::from_secs(args.timeout.saturating_mul(60)),
            restarts: args.restarts,
            farewell: Duration::from_secs(60),
        },
        screenshots: Screenshots {
            file: args
                .screenshot
                .map(|file| std::path::absolute(&file).unwrap_or(file)),
            every: args.screenshot_every.map(Duration::from_secs),
        },
        nic: Some(args.nic).filter(|nic| nic != "none"),
        expect: if args.then_boot { args.expect } else { vec![] },
        media: args.media,
        attach: args.attach,
        firmware: args.firmware,
        firmware_variables: args.firmware_variables,
        media_last: args.media_last,
        disks: if args.no_disk { vec![] } else { args.disk },
        bus: args.disk_bus,
        usb_disks: args.usb_disk,
        second_disk: args.second_disk,
        accelerator: args.accelerator,
        cpu: args.cpu,
        cpus: args.cpus,
        memory: args.memory,
        share: args.share,
        share_password: args.share_password,
        output,
        work: args.keep,
        cuts: args.kill_at,
        display: args.display,
        json: args.json,
    }
}
