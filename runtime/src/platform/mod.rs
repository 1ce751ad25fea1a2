//! What the steps need of the machine, as small traits. `linux` and `windows` do it for real; the tests' `memory` plays a
//! machine whose power can fail after any operation, so that they can cut everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use media_format::hive::protocol::{Answer, Operation as HiveOperation};
use media_format::wim::info::WimInfo;
use media_format::wim::protocol::{Message, Request, Summary};
use windows_setup::drivers::ids::MachineDevice;
use windows_setup::secure_boot::BootFiles;

use self::deadline::Deadline;
use crate::target::ConfirmedTarget;

pub mod deadline;
mod digest;
pub mod hardware;
mod output;
pub mod smbios;
mod waiting;

#[cfg(unix)]
pub mod linux;
#[cfg(windows)]
pub mod windows;

/// Result of an operation on the machine; the error says what was being done, to what, and why it failed.
pub type Result<T> = anyhow::Result<T>;

/// The whole machine.
pub trait Platform:
    Disks + Files + Images + Drivers + Hives + Boot + Packages + Processes + Network + Machine + Registry
{
}
impl<T: Disks + Files + Images + Drivers + Hives + Boot + Packages + Processes + Network + Machine + Registry>
    Platform for T
{
}

/// A family of operating systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// SATA or IDE.
    Ata,
    /// NVM Express.
    Nvme,
    /// SCSI, SAS, RAID controllers.
    Scsi,
    /// USB.
    Usb,
    /// virtio-blk.
    Virtio,
    /// eMMC and SD cards.
    Mmc,
    /// Anything else.
    Other,
}

impl Bus {
    /// The name in a task sequence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ata => "sata",
            Self::Nvme => "nvme",
            Self::Scsi => "scsi",
            Self::Usb => "usb",
            Self::Virtio => "virtio",
            Self::Mmc => "mmc",
            Self::Other => "other",
        }
    }
}

/// A disk as it was found, without mounting anything of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Counts the disks that can be targets, from 0, in the order of their names.
    pub number: u32,
    /// Device node.
    pub path: PathBuf,
    /// Manufacturer's model text.
    pub model: String,
    /// Serial number; may be empty.
    pub serial: String,
    /// World-wide name; may be empty.
    pub wwn: String,
    /// Bytes.
    pub size: u64,
    /// Logical sector size in bytes.
    pub sector_size: u32,
    /// How it is attached.
    pub bus: Bus,
    /// Removable or attached by USB.
    pub removable: bool,
    /// Write-protected.
    pub read_only: bool,
    /// Carries media of ours (this one or another).
    pub is_media: bool,
    /// Volume set identifier of an ISO 9660 volume that covers the disk (our media put their id there), in lower
    /// case; else empty.
    pub volume_set: String,
    /// GUID of the GPT, or the MBR's signature as 8 hexadecimal digits; empty without a table.
    pub table_id: String,
    /// Its partitions in the order of their numbers.
    pub partitions: Vec<Partition>,
    /// Has a partition table or a file system.
    pub has_content: bool,
}

impl Disk {
    /// A disk that nothing lies on and that says nothing of itself.
    pub fn empty(path: impl Into<PathBuf>, size: u64, bus: Bus) -> Self {
        Self {
            number: 0,
            path: path.into(),
            model: String::new(),
            serial: String::new(),
            wwn: String::new(),
            size,
            sector_size: 512,
            bus,
            removable: bus == Bus::Usb,
            read_only: false,
            is_media: false,
            volume_set: String::new(),
            table_id: String::new(),
            partitions: Vec::new(),
            has_content: false,
        }
    }
}

/// A partition as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Number as the system counts that runs, from 1.
    pub number: u32,
    /// Device node.
    pub path: PathBuf,
    /// What the kernel calls PARTUUID, in lower case: stays the same over restarts.
    pub id: String,
    /// GPT type GUID, or the MBR type as `0x83`.
    pub kind: String,
    /// Name in a GPT; else empty.
    pub name: String,
    /// Attributes in a GPT; else 0.
    pub attributes: u64,
    /// Bytes from the start of the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// File system by its signature: `vfat`, `exfat`, `ntfs`, `ext4`, `xfs`, `btrfs`, `iso9660`, `swap`; empty if
    /// unknown.
    pub file_system: String,
    /// Label of the file system.
    pub label: String,
    /// UUID of a Linux file system, in lower case; else empty.
    pub uuid: String,
}

/// The attribute of a GPT's partition that no system is to show (Microsoft, "PARTITION_INFORMATION_GPT").
pub(crate) const HIDDEN_ATTRIBUTE: u64 = 1 << 62;
/// The types of an MBR's partitions with FAT, NTFS and exFAT that no system is to show.
const HIDDEN_TYPES: [&str; 7] = ["0x11", "0x14", "0x16", "0x17", "0x1b", "0x1c", "0x1e"];

impl Partition {
    /// Whether the table says that no system is to show its volume.
    pub fn is_hidden(&self) -> bool {
        let kind = self.kind.to_ascii_lowercase();
        self.attributes & HIDDEN_ATTRIBUTE != 0 || HIDDEN_TYPES.contains(&kind.as_str())
    }

    /// The number that steps know it by, whatever the boot image is: that of its entry, those of logical ones from 5. Windows
    /// counts without the extended one; in an MBR the entry is the end of the id (`0badf00d-05`).
    pub fn entry(&self) -> u32 {
        const SIGNATURE: usize = 8;
        let of_mbr = self
            .id
            .split_once('-')
            .filter(|(table, entry)| table.len() == SIGNATURE && entry.len() == 2);
        let entry = of_mbr.and_then(|(_, entry)| u32::from_str_radix(entry, 16).ok());
        entry.unwrap_or(self.number)
    }
}

/// A partition to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartition {
    /// Number, from 1.
    pub number: u32,
    /// Bytes from the start of the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// What it is.
    pub role: Role,
    /// Name in a GPT.
    pub name: String,
    /// File system to make on it, if any.
    pub file_system: Option<String>,
    /// Label of that file system.
    pub label: String,
    /// Quick format.
    pub quick: bool,
    /// GPT unique GUID; on MBR derived from the signature.
    pub guid: String,
}

/// What a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// EFI system partition.
    Efi,
    /// GRUB's core image on a GPT of a BIOS machine.
    BiosBoot,
    /// The runtime's own small FAT32 partition on a BIOS machine.
    State,
    /// An ordinary volume of a Linux system.
    Linux,
    /// Linux swap.
    Swap,
    /// An ordinary volume of Windows.
    Data,
    /// Microsoft reserved.
    Msr,
    /// Windows recovery.
    Recovery,
    /// A volume that no system shows by itself.
    Hidden,
    /// MBR extended partition, which holds the logical ones.
    Extended,
}

/// Partitions that an MBR describes itself; the numbers of logical ones come behind them.
pub const MBR_ENTRIES: u32 = 4;

/// The table to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTable {
    /// GPT, else MBR.
    pub gpt: bool,
    /// GUID of the disk, or the MBR's signature as 8 hexadecimal digits.
    pub id: String,
    /// The partitions, ascending by start; the logical ones directly behind the extended one.
    pub partitions: Vec<NewPartition>,
}

impl NewTable {
    /// Whether a partition of it, as it was planned, lies in the extended one.
    pub fn is_logical(&self, partition: &NewPartition) -> bool {
        !self.gpt && partition.number > MBR_ENTRIES
    }
}

/// Disks, file systems, mounts.
pub trait Disks {
    /// All disks.
    fn disks(&self) -> Result<Vec<Disk>>;
    /// Whether the table and its file systems can be made here, before anything is changed.
    fn check_table(&self, _table: &NewTable) -> Result<()> {
        Ok(())
    }
    /// Writes a disk's table; what was there is lost. Gives it as it is now: some systems choose numbers and identifiers of the
    /// partitions themselves.
    fn write_table(&self, target: &ConfirmedTarget, table: &NewTable) -> Result<NewTable>;
    /// Makes a file system; what was there is lost.
    fn make_file_system(&self, target: &ConfirmedTarget, partition: &NewPartition) -> Result<()>;
    /// Content of a small file on an unmounted FAT volume, if it is there. Nothing is mounted to look at it.
    fn peek(&self, partition: &Path, file: &str) -> Result<Option<Vec<u8>>>;
    /// Mounts a volume by its device node and gives the folder; mounting it again gives the same folder. A mount that
    /// is not writable changes nothing of the volume: no journal is replayed.
    fn mount(&self, device: &Path, writable: bool) -> Result<PathBuf>;
    /// Unmounts what [`Disks::mount`] mounted, after a flush.
    fn unmount(&self, device: &Path) -> Result<()>;
    /// Makes a volume that the run has made writable again after a power cut; nothing where that needs no help.
    fn recover(&self, device: &Path) -> Result<()>;
    /// Why the volume's content is not complete without a replay of its journal; nothing for one that was unmounted
    /// as it should be.
    fn unclean(&self, device: &Path) -> Result<Option<String>>;
    /// Shows a mounted volume, or the view of one, at a folder inside another one; the folder is made. Doing it again
    /// changes nothing.
    fn mount_inside(&self, folder: &Path, at: &Path) -> Result<()>;
    /// Takes it out again; nothing happens where nothing is shown.
    fn unmount_inside(&self, at: &Path) -> Result<()>;
    /// The name by which the user's commands find the root of the system that the run builds, without a separator at its end:
    /// it leads to this folder from now on.
    fn lead_to_system(&self, root: &Path) -> Result<String>;
    /// A view of the folder in which changes stay in memory: the disk keeps what it has.
    fn overlay(&self, folder: &Path) -> Result<PathBuf>;
    /// Takes such a view away.
    fn remove_overlay(&self, view: &Path) -> Result<()>;
    /// Waits until everything that anybody has written, programs included, is on the disks.
    fn flush(&self) -> Result<()>;
    /// Bytes that are free and bytes that are used on the volume of that folder.
    fn space(&self, folder: &Path) -> Result<Space>;
}

/// Room on a volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free for us.
    pub free: u64,
    /// Used by content.
    pub used: u64,
    /// The largest file that the file system can hold, where that is a limit.
    pub largest_file: Option<u64>,
}

/// Files on mounted volumes. Writes are flushed when they return.
pub trait Files {
    /// The content, or nothing where there is no such file.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>>;
    /// Replaces or makes a file with the given mode, and the folders that lead to it.
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()>;
    /// Overwrites bytes of an existing file in place.
    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Makes a symbolic link, replacing what is there.
    fn link(&self, path: &Path, to: &str) -> Result<()>;
    /// Removes a file, a link or a whole folder; nothing happens where there is none.
    fn remove(&self, path: &Path) -> Result<()>;
    /// Removes a folder that is empty; one that is not stays.
    fn remove_empty(&self, folder: &Path) -> Result<()> {
        if self.is_folder(folder) && self.list(folder)?.is_empty() {
            self.remove(folder)?;
        }
        Ok(())
    }
    /// Renames within one volume and flushes the folder.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Copies a file with its mode.
    fn copy(&self, from: &Path, to: &Path) -> Result<()>;
    /// Whether something is there (a dangling link counts).
    fn exists(&self, path: &Path) -> bool;
    /// Names in a folder, sorted; empty where there is none.
    fn list(&self, path: &Path) -> Result<Vec<String>>;
    /// Whether it is a folder (links are not followed).
    fn is_folder(&self, path: &Path) -> bool;
    /// Whether it is a symbolic link.
    fn is_link(&self, path: &Path) -> bool;
    /// When it was last changed.
    fn modified(&self, path: &Path) -> Option<std::time::SystemTime>;
    /// SHA-256 of a file and its size in bytes, with progress in bytes.
    fn digest(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<([u8; 32], u64)>;
    /// Whether a running Windows keeps the content of a file packed (CompactOS), behind the back of whoever reads it.
    fn is_packed(&self, _path: &Path) -> Result<bool> {
        Ok(false)
    }
    /// The tags of all reparse points of an NTFS volume by its root, as the Windows that runs has listed them.
    fn reparse_tags(&self, _root: &Path) -> Result<BTreeSet<u32>> {
        Ok(BTreeSet::new())
    }
}

/// WIM files.
pub trait Images {
    /// What a WIM says of itself.
    fn image_info(&self, wim: &Path) -> Result<WimInfo>;
    /// Whether single files of an image can be read without applying it.
    fn extracts(&self) -> bool {
        true
    }
    /// Runs one request of the WIM worker to its end.
    fn image_request(&self, request: &Request, progress: &mut dyn FnMut(&Message)) -> Result<Summary>;
}

/// Drivers of a Windows that does not run.
pub trait Drivers {
    /// Adds a driver by its INF file to the Windows under `root`, where the boot image has a program for that; gives whether it has.
    fn add_driver(&self, _root: &Path, _inf: &Path, _signed: bool) -> Result<bool> {
        Ok(false)
    }
}

/// Registry hives of a Windows that does not run.
pub trait Hives {
    /// Does one thing with a hive on a mounted volume. A hive is replaced as a whole, after a flush, or not at all.
    fn hive(&self, operation: &HiveOperation) -> Result<Vec<Answer>>;
}

/// The firmware's start of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// UEFI.
    Uefi,
    /// BIOS.
    Bios,
}

/// How the machine starts.
pub trait Boot {
    /// UEFI or BIOS.
    fn firmware(&self) -> Firmware;
    /// Whether Secure Boot is on; nothing on a BIOS machine.
    fn secure_boot(&self) -> Option<bool>;
    /// One of the firmware's lists for Secure Boot, `db` or `dbx`; nothing where it has none or cannot be asked.
    fn signature_list(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
    /// Makes the system under `root` start from `disk` by its own boot loader (GRUB), without touching the
    /// firmware's variables. `boot` is where the EFI system partition is mounted, on UEFI. Gives the loader's path
    /// there.
    fn install_loader(&self, root: &Path, disk: &Path, boot: Option<&Path>) -> Result<String>;
    /// Makes the Windows under `root` start from the EFI system partition that is mounted at `boot`, where the boot image has a
    /// program for that; gives whether it has.
    fn install_windows(&self, _root: &Path, _boot: &Path, _locale: &str, _files: BootFiles) -> Result<bool> {
        Ok(false)
    }
    /// Tells the Windows under `root` that its recovery environment lies in that folder of the recovery partition.
    fn register_recovery(&self, root: &Path, _folder: &Path) -> Result<()> {
        anyhow::bail!(
            "the recovery environment of the Windows at {} is registered in Windows PE, or by Windows itself",
            root.display()
        )
    }
    /// Whether the firmware says which of its entries has started the machine.
    fn check_this_start(&self) -> Result<()> {
        anyhow::bail!("only Windows PE asks the firmware what has started the machine")
    }
    /// Adds a firmware entry of that label for what has started the machine, and puts it first; others of that label go.
    fn register_this_start(&self, label: &str) -> Result<()> {
        self.check_this_start()
            .with_context(|| format!("adding the firmware's entry {label}"))
    }
    /// Adds a firmware entry for that loader on that partition and puts it first; nothing on BIOS.
    fn register(&self, disk: &Path, partition: u32, label: &str, loader: &str) -> Result<()>;
    /// Whether the firmware has an entry of that label for that partition.
    fn is_registered(&self, partition: &str, label: &str) -> Result<bool>;
    /// Removes the firmware entries of that label; nothing on BIOS.
    fn unregister(&self, label: &str) -> Result<()>;
    /// Makes the firmware start the entry of that label once, at the next start; gives whether it will. Where it does
    /// not, the boot order and the media lead there.
    fn start_next(&self, label: &str) -> Result<bool>;
    /// Files of the boot image that the media carries and that start it, for staging.
    fn stage_loader(&self, boot: &Path, disk: &Path, media: &Path) -> Result<()>;
}

/// How a step runs programs: the log shows what they say.
pub type Runner<'a> = &'a dyn Fn(Command) -> Result<Output>;

/// What came of an upgrade, by names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// What changed.
    pub changed: Vec<String>,
    /// What was not installed, because it does not fit this system.
    pub unfit: Vec<String>,
}

/// Packages of the installed system that runs. What takes long goes through the step's runner.
pub trait Packages {
    /// Upgrades from that repository folder; `all` also where that installs or removes others.
    fn upgrade(&self, repository: &Path, all: bool, run: Runner<'_>) -> Result<Upgraded>;
    /// Installs packages by name from that repository folder.
    fn install(&self, repository: &Path, packages: &[String], run: Runner<'_>) -> Result<()>;
    /// Installs package files.
    fn install_files(&self, files: &[PathBuf], run: Runner<'_>) -> Result<()>;
    /// Whether the system asks for a restart.
    fn restart_required(&self) -> bool;
}

/// A command to run. Secrets go in `stdin` or `environment`, never in `arguments`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Program, looked up in the search path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// On Windows: what follows them on the command line as it is, for programs that split it by rules of their own.
    pub raw: String,
    /// Working folder.
    pub folder: Option<PathBuf>,
    /// Environment variables besides the inherited ones.
    pub environment: BTreeMap<String, String>,
    /// What it reads.
    pub stdin: Vec<u8>,
    /// Of what it writes, only lines with one of these texts count, whatever their case; all where there are none.
    pub only: Vec<String>,
    /// It is stopped after this time, whatever time the step has left.
    pub timeout: Option<Duration>,
    /// Runs inside this root.
    pub root: Option<PathBuf>,
    /// Runs as this account of the system; on Linux the password is not needed.
    pub account: Option<Account>,
    /// What the log shows instead of program and arguments.
    pub shown: Option<String>,
    /// The command line is not shown in the log.
    pub hidden: bool,
}

/// What a command said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit code; 128 + signal when a signal ended it.
    pub code: i64,
    /// What it wrote, up to a limit.
    pub stdout: String,
    /// The end of what it wrote to the error stream.
    pub stderr: String,
}

/// External programs.
pub trait Processes {
    /// Runs a command to its end.
    fn run(&self, command: &Command) -> Result<Output>;
    /// Until when everything has to end that is started from now on: programs without a time limit of their own, and the workers.
    fn set_deadline(&self, deadline: Option<Deadline>);
    /// Until when that is.
    fn deadline(&self) -> Option<Deadline>;
}

/// An account with its password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// `user`, `DOMAIN\user`, `user@domain`, or empty for a guest.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:********", self.user)
    }
}

/// Shares.
pub trait Network {
    /// Mounts a share (`//server/share`) and gives the folder: that one where it is given, also when the share is mounted
    /// elsewhere already; else one where it is. A second call gives the same one.
    fn connect(&self, share: &str, account: &Account, at: Option<&Path>) -> Result<PathBuf>;
    /// Unmounts the share that is mounted on that folder.
    fn disconnect(&self, folder: &Path) -> Result<()>;
    /// The domain that the running system is a member of; a system without a way to be one is in none.
    fn domain(&self) -> Result<Option<String>>;
}

/// What the machine is.
pub trait Machine {
    /// The system that runs this program.
    fn system(&self) -> System;
    /// The root of that system: `/`, or the drive of Windows.
    fn root(&self) -> PathBuf;
    /// Identity, addresses, memory as ready-made task sequence variables (`_SMSTSMake`, …).
    fn variables(&self) -> Vec<(String, String)>;
    /// The memory that the system has, in bytes.
    fn memory(&self) -> u64;
    /// Seconds since 1970, UTC.
    fn now(&self) -> i64;
    /// Random bytes for identifiers and passwords.
    fn random(&self, bytes: &mut [u8]);
    /// Waits.
    fn sleep(&self, time: Duration);
    /// The machine's devices as Windows calls them; none inside an installed Windows, which knows them.
    fn devices(&self) -> Vec<MachineDevice> {
        vec![]
    }
    /// Rows of a hardware query's class, each property by name.
    fn hardware(&self, class: &str) -> Vec<BTreeMap<String, String>>;
}

/// Data of a value of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// `REG_SZ`.
    Text(String),
    /// `REG_EXPAND_SZ`.
    Expandable(String),
    /// `REG_MULTI_SZ`.
    Texts(Vec<String>),
    /// `REG_DWORD`.
    Number(u32),
    /// `REG_QWORD`.
    Long(u64),
    /// `REG_BINARY` and everything else.
    Binary(Vec<u8>),
}

/// The registry of the running Windows; keys are written `HKLM\…`. On Linux nothing exists in it.
pub trait Registry {
    /// A value; `""` is the key's own. Nothing where the key or the value does not exist.
    fn value(&self, key: &str, name: &str) -> Result<Option<Data>>;
    /// Whether a key exists.
    fn has_key(&self, key: &str) -> Result<bool>;
    /// The names of a key's values; none where it does not exist.
    fn values(&self, key: &str) -> Result<Vec<String>>;
    /// The names of the keys below it; none where it does not exist.
    fn keys(&self, key: &str) -> Result<Vec<String>>;
    /// Writes a value; the key is made.
    fn set_value(&self, key: &str, name: &str, data: &Data) -> Result<()>;
    /// Removes a key with everything below it; nothing happens where it does not exist.
    fn remove_key(&self, key: &str) -> Result<()>;
    /// Removes a value; nothing happens where it does not exist.
    fn remove_value(&self, key: &str, name: &str) -> Result<()>;
}
