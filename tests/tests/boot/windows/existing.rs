//! The disk of a machine that has a Windows: made on the host from the stand-in's image.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::start_up;

const MEGABYTE: u64 = 1 << 20;

/// A partition: name, type for sfdisk, size in megabytes.
const PARTITIONS: [(&str, &str, u64); 4] = [
    ("esp", "U", 160),
    ("windows", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", 512),
    ("data", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", 64),
    ("linux", "L", 32),
];

/// One of each kind that no image has, written otherwise than the runtime names them.
const LEFT_OUT: [&str; 12] = [
    "$Ntfs.Log",
    "HIBERFIL.SYS",
    "PageFile.sys",
    "SwapFile.SYS",
    "DUMPSTACK.LOG",
    "dumpstack.log.TMP",
    "system volume information/tracking.log",
    "Recycler/S-1-5-21/INFO2",
    "$RECYCLE.BIN/S-1-5-21/desktop.ini",
    "Windows/csc/v2.0.6/pq",
    "ProgramData/Media-Runtime/note.txt",
    "Windows/smscfg.INI",
];

/// What the volume of data holds besides those: in a folder the name of one of them means nothing, and the folders themselves stay.
const DATA: [(&str, &str); 3] = [
    ("kept.txt", "kept"),
    (
        "Photos/2024/A name that is longer than eight and three.txt",
        "photo",
    ),
    ("Photos/pagefile.sys", "no page file"),
];
const EMPTY: [&str; 2] = ["Windows", "ProgramData"];
/// Attributes that are given there, by what is read-only, hidden or of the system.
const ATTRIBUTES: [(&str, &str); 2] = [("+h", "::/Photos"), ("+r", "::/kept.txt")];

pub(super) fn run(program: &str, arguments: &[&str]) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error} (make setup installs it)"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

/// How the Windows was left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Shut down.
    Off,
    /// With its memory in a file.
    Hibernated,
    /// Shut down, on a disk that it starts from. Whoever logs on next begins a run.
    ToBegin,
}

/// Where the EFI system partition of such a disk begins, as mtools take it.
pub(super) fn esp_of(disk: &Path) -> String {
    format!("{}@@1M", disk.display())
}

fn put(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("its folder");
    fs::write(path, content).expect("a file");
}

/// What an image of the volume of data has.
pub(crate) fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, content) in DATA {
        put(folder.path(), path, content);
    }
    for name in EMPTY {
        fs::create_dir_all(folder.path().join(name)).expect("a folder");
    }
    folder
}

fn left_out(folder: &Path) {
    for path in LEFT_OUT {
        put(folder, path, "of the running machine");
    }
}

/// A Windows volume, a FAT32 volume with files, an ext4 volume; on a disk of one gigabyte. On the volume of a Windows that was shut
/// down, and on that of data, lies what is left out.
pub(crate) fn disk(wim: &Path, left: Left) -> PathBuf {
    let disk = crate::support::own("existing-windows", "raw");
    let file = File::create(&disk).expect("the disk");
    file.set_len(1024 * MEGABYTE).expect("its size");
    partition(&disk);
    let mut start = 1;
    for (name, _, size) in PARTITIONS {
        let volume = disk.with_extension(name);
        let content = File::create(&volume).expect("a volume");
        content.set_len(size * MEGABYTE).expect("its size");
        let planted = volume.with_extension("wim");
        let wim = match (name, left) {
            ("windows", Left::Off) => with_left_out(wim, &planted),
            _ => wim,
        };
        format(name, &volume.display().to_string(), start, wim);
        match (name, left) {
            ("windows", Left::Hibernated) => hibernate(&volume),
            ("windows", Left::ToBegin) => start_up::begin_at_logon(&volume, wim),
            ("esp", Left::ToBegin) => start_up::fill_esp(&volume, wim),
            _ => {}
        }
        copy(&volume, &file, start * MEGABYTE);
        fs::remove_file(&volume).expect("removing the volume");
        let _ = fs::remove_file(planted);
        start += size;
    }
    disk
}

/// The image with what is left out: a volume of NTFS itself gets no folders without a mount.
fn with_left_out<'a>(wim: &Path, planted: &'a Path) -> &'a Path {
    let folder = tempfile::tempdir().expect("a temporary folder");
    left_out(folder.path());
    let (from, to) = (wim.display().to_string(), planted.display().to_string());
    run("wimlib-imagex", &["export", &from, "1", &to]);
    let add = format!("--command=add '{}' /", folder.path().display());
    run("wimlib-imagex", &["update", &to, "1", &add]);
    planted
}

pub(super) fn fill_data(volume: &str) {
    let folder = data();
    left_out(folder.path());
    let names = fs::read_dir(folder.path()).expect("the folder");
    let paths: Vec<String> = names
        .map(|entry| entry.expect("an entry").path().display().to_string())
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    run("mcopy", &[&["-s", "-i", volume][..], &paths, &["::/"]].concat());
    let hidden = [("+h", "::/system volume information")];
    for (attribute, path) in ATTRIBUTES.iter().chain(&hidden) {
        run("mattrib", &["-i", volume, attribute, path]);
    }
}

/// A stick that somebody forgot in the machine, with a FAT32 volume.
pub(crate) fn stick() -> PathBuf {
    let stick = crate::support::own("forgotten-stick", "raw");
    let volume = stick.with_extension("volume");
    let file = File::create(&stick).expect("the stick");
    file.set_len(66 * MEGABYTE).expect("its size");
    write_table(&stick, &["start=1MiB, size=64MiB, type=U".to_owned()]);
    let content = File::create(&volume).expect("a volume");
    content.set_len(64 * MEGABYTE).expect("its size");
    let path = volume.display().to_string();
    run("mkfs.vfat", &["-F", "32", "-n", "FORGOTTEN", &path]);
    run("mcopy", &["-i", &path, "/etc/hostname", "::/forgotten.txt"]);
    copy(&volume, &file, MEGABYTE);
    fs::remove_file(&volume).expect("removing the volume");
    stick
}

fn partition(disk: &Path) {
    let mut start = 1;
    let mut lines = Vec::new();
    for (name, kind, size) in PARTITIONS {
        let id = if name == "windows" {
            format!(", uuid={}", start_up::WINDOWS)
        } else {
            String::new()
        };
        lines.push(format!(
            "start={start}MiB, size={size}MiB, type={kind}, name={name}{id}"
        ));
        start += size;
    }
    write_table(disk, &lines);
}

fn write_table(disk: &Path, partitions: &[String]) {
    partition_by(disk, &format!("label: gpt\n{}\n", partitions.join("\n")));
}

/// As sfdisk takes a table.
pub(super) fn partition_by(disk: &Path, lines: &str) {
    let script = disk.with_extension("sfdisk");
    fs::write(&script, lines).expect("a script");
    let command = format!("sfdisk --quiet '{}' <'{}'", disk.display(), script.display());
    run("sh", &["-c", &command]);
}

/// A volume that says where on its disk it begins, as Windows wants to know.
fn format(name: &str, volume: &str, start: u64, wim: &Path) {
    match name {
        "esp" => run("mkfs.vfat", &["-F", "32", volume]),
        "windows" => {
            format_ntfs(volume, start * MEGABYTE / 512, "Windows");
            run(
                "wimlib-imagex",
                &["apply", &wim.display().to_string(), "1", volume],
            );
        }
        "data" => {
            run("mkfs.vfat", &["-F", "32", "-n", "DATA", volume]);
            fill_data(volume);
        }
        _ => run("mke2fs", &["-q", "-F", "-t", "ext4", volume]),
    }
}

/// A volume of NTFS that begins at that sector of its disk.
pub(super) fn format_ntfs(volume: &str, sector: u64, label: &str) {
    let sector = sector.to_string();
    let geometry = ["-p", &sector, "-H", "255", "-S", "63", "-s", "512"];
    run(
        "mkntfs",
        &[&["-Q", "-F", "-L", label], &geometry[..], &[volume]].concat(),
    );
}

/// The file begins as one that Windows will wake up from.
fn hibernate(volume: &Path) {
    let memory = volume.with_extension("hiberfil");
    fs::write(&memory, [&b"hibr"[..], &[0; 4092]].concat()).expect("a file");
    let (volume, from) = (volume.display().to_string(), memory.display().to_string());
    run("ntfscp", &["-q", &volume, &from, "hiberfil.sys"]);
    fs::remove_file(memory).expect("removing the file");
}

/// Blocks of zeros stay holes.
pub(super) fn copy(volume: &Path, disk: &File, offset: u64) {
    let content = fs::read(volume).expect("reading the volume");
    for (number, block) in (0_u64..).zip(content.chunks(1 << 16)) {
        if block.iter().any(|byte| *byte != 0) {
            disk.write_all_at(block, offset + number * (1 << 16))
                .expect("writing the disk");
        }
    }
}
