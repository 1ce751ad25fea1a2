//! The disk of a machine that starts an installed Windows by a BIOS: an MBR, whose active partition is a small one of NTFS ("System
//! Reserved"), and boot code of the disk's own.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::existing::{copy, fill_data, format_ntfs, partition_by, run};
use super::start_up;
use crate::support::{self, out};

const MEGABYTE: u64 = 1 << 20;
const SECTOR: u64 = 512;
const SIGNATURE: u32 = 0x0bad_f00d;

/// A partition: name, type for sfdisk, size in megabytes. The first one begins at one megabyte.
const PARTITIONS: [(&str, &str, u64); 4] = [
    ("reserved", "7, bootable", 260),
    ("windows", "7", 512),
    ("data", "c", 64),
    ("linux", "83", 32),
];
/// What the disk's own boot code starts lies behind all of them.
const BOOT_MANAGER: u64 = 960 * MEGABYTE / SECTOR;

/// Loads the boot manager to where Windows' boot sectors load theirs, and starts it there with the drive in DL. It is no longer
/// than six times 64 sectors.
const BOOT_CODE: &str = ".code16
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    sti
    mov $6, %cx
1:  push %cx
    mov $0x7c00 + packet, %si
    mov $0x42, %ah
    int $0x13
    jc 2f
    addw $0x800, 0x7c00 + packet + 6
    addl $64, 0x7c00 + packet + 8
    pop %cx
    loop 1b
    ljmp $0x2000, $0
2:  hlt
    jmp 2b
packet: .byte 16, 0
    .word 64, 0, 0x2000
    .quad LBA
";

/// A disk of one gigabyte.
pub(crate) fn disk(wim: &Path) -> PathBuf {
    let disk = support::own("existing-by-bios", "raw");
    let file = File::create(&disk).expect("the disk");
    file.set_len(1024 * MEGABYTE).expect("its size");
    partition_by(&disk, &table());
    for (name, start, size) in places() {
        let volume = disk.with_extension(name);
        let content = File::create(&volume).expect("a volume");
        content.set_len(size).expect("its size");
        fill(name, &volume, start, wim);
        copy(&volume, &file, start);
        fs::remove_file(&volume).expect("removing the volume");
    }
    add_boot_code(&file);
    disk
}

/// By name: where each partition begins and how long it is, in bytes.
fn places() -> Vec<(&'static str, u64, u64)> {
    let mut start = MEGABYTE;
    let mut places = Vec::new();
    for (name, _, size) in PARTITIONS {
        places.push((name, start, size * MEGABYTE));
        start += size * MEGABYTE;
    }
    places
}

fn table() -> String {
    let lines = PARTITIONS
        .iter()
        .zip(places())
        .map(|((_, kind, _), (_, start, size))| {
            format!("start={}, size={}, type={kind}\n", start / SECTOR, size / SECTOR)
        });
    format!(
        "label: dos\nlabel-id: {SIGNATURE:#010x}\n{}",
        lines.collect::<String>()
    )
}

fn fill(name: &str, volume: &Path, start: u64, wim: &Path) {
    let path = volume.display().to_string();
    match name {
        "reserved" => {
            format_ntfs(&path, start / SECTOR, "System Reserved");
            fill_reserved(&path, wim);
        }
        "windows" => {
            format_ntfs(&path, start / SECTOR, "Windows");
            run(
                "wimlib-imagex",
                &["apply", &wim.display().to_string(), "1", &path],
            );
            start_up::begin_at_logon(volume, wim);
        }
        "data" => {
            run("mkfs.vfat", &["-F", "32", "-n", "DATA", &path]);
            fill_data(&path);
        }
        _ => run("mke2fs", &["-q", "-F", "-t", "ext4", &path]),
    }
}

/// What `bcdboot /f BIOS` puts there, as far as it is looked at: the boot manager and its store, and what the stand-in is.
fn fill_reserved(volume: &str, wim: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let boot = folder.path().join("Boot");
    fs::create_dir(&boot).expect("a folder");
    for name in ["stand-in.kernel", "stand-in.initrd"] {
        start_up::extract(wim, &format!("/Windows/Boot/EFI/{name}"), &boot);
    }
    let windows = places()[1].1;
    let device = start_up::of_mbr(SIGNATURE, windows);
    start_up::make_store(&boot.join("BCD").display().to_string(), &device, "winload.exe");
    fs::remove_file(boot.join("BCD.reg")).expect("removing what it was made of");
    fs::copy(out("stand-in/bootmgr"), folder.path().join("bootmgr")).expect("the boot manager");
    let image = tempfile::NamedTempFile::new().expect("a file");
    let image = image.path().display().to_string();
    let tree = folder.path().display().to_string();
    run(
        "wimlib-imagex",
        &["capture", &tree, &image, "--compress=none", "--no-acls"],
    );
    run("wimlib-imagex", &["apply", &image, "1", volume]);
}

fn add_boot_code(disk: &File) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(
        path("code.s"),
        BOOT_CODE.replace("LBA", &BOOT_MANAGER.to_string()),
    )
    .expect("the source");
    run("as", &["--32", &path("code.s"), "-o", &path("code.o")]);
    let options = ["-m", "elf_i386", "-Ttext", "0", "--oformat", "binary", "-o"];
    run("ld", &[&options[..], &[&path("code"), &path("code.o")]].concat());
    let code = fs::read(path("code")).expect("the program");
    assert!(code.len() <= 440, "{} bytes", code.len());
    disk.write_all_at(&code, 0).expect("writing the boot code");
    let manager = fs::read(out("stand-in/bootmgr")).expect("the boot manager");
    assert!(manager.len() as u64 <= 6 * 64 * SECTOR, "{} bytes", manager.len());
    disk.write_all_at(&manager, BOOT_MANAGER * SECTOR)
        .expect("writing the boot manager");
}

const PREPARE: &str = "  [[steps.steps]]\n  type = \"prepare-os-for-capture\"\n";
const RESTART: &str =
    "  [[steps.steps]]\n  type = \"restart-computer\"\n  name = \"Restart Windows\"\n  target = \"os\"\n\n";

/// The demonstration's, as a stick, with a restart of Windows before it is generalized.
pub(crate) fn media() -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the project");
    let read = |path: &str| fs::read_to_string(project.join(path)).expect("a file of the project");
    let sequence = read("templates/windows-capture-existing.toml");
    assert!(sequence.contains(PREPARE), "{sequence}");
    let media = read("demo/windows-capture-existing.toml");
    let media = media
        .replace("../templates/windows-capture-existing.toml", "sequence.toml")
        .replace("../out", &out("").display().to_string());
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(
        folder.path().join("sequence.toml"),
        sequence.replace(PREPARE, &[RESTART, PREPARE].concat()),
    )
    .expect("the sequence");
    let file = folder.path().join("existing-by-bios.toml");
    fs::write(&file, media).expect("the project");
    support::build(&file, "usb", &[])
}

/// What a machine without firmware variables starts by: everything before the first partition, and the files of the active one.
pub(crate) struct Start {
    first: Vec<u8>,
    files: tempfile::TempDir,
}

impl Start {
    pub(crate) fn of(disk: &Path) -> Self {
        let file = File::open(disk).expect("the disk");
        let read = |start: u64, size: u64| {
            let mut bytes = vec![0; usize::try_from(size).expect("its size")];
            file.read_exact_at(&mut bytes, start).expect("reading the disk");
            bytes
        };
        let (_, start, size) = places()[0];
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("volume"), read(start, size)).expect("a copy of the volume");
        run(
            "wimlib-imagex",
            &["capture", &path("volume"), &path("wim"), "--compress=none"],
        );
        let files = tempfile::tempdir().expect("a temporary folder");
        let into = files.path().display().to_string();
        run("wimlib-imagex", &["apply", &path("wim"), "1", &into]);
        assert!(files.path().join("Boot/BCD").is_file(), "the copy is empty");
        Self {
            first: read(0, start),
            files,
        }
    }

    pub(crate) fn assert_same(&self, after: &Self) {
        assert!(
            self.first == after.first,
            "what lies before the first partition is another"
        );
        start_up::assert_same(&self.files, &after.files);
    }
}
