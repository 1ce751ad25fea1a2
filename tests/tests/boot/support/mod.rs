//! Runs the product and looks at what it made with foreign tools.
#![allow(unreachable_pub)] // A module of a test program has no outside.

pub mod firmware;
mod image;
pub mod our_qemu;
mod secrets;
pub mod servers;
mod system;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

pub use image::Image;
pub use secrets::{assert_without, with_secret};
pub use system::System;

/// Processors of this computer that an emulated machine may use while it is held: machines with more of them than there are
/// run into their time-outs, and one with a single processor leaves the others idle.
pub struct Processors(usize);

static TAKEN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Processors {
    /// Waits until so many are free.
    pub fn take(count: usize) -> Self {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        let count = count.min(all);
        let taken = TAKEN.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = TAKEN.1.wait_while(taken, |taken| *taken + count > all);
        *waited.unwrap_or_else(PoisonError::into_inner) += count;
        Self(count)
    }
}

impl Drop for Processors {
    fn drop(&mut self) {
        *TAKEN.0.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        TAKEN.1.notify_all();
    }
}

/// A path below `out/tests` that no other test has.
pub fn own(name: &str, extension: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = out(&format!(
        "tests/{name}-{}-{number}.{extension}",
        std::process::id()
    ));
    fs::create_dir_all(path.parent().expect("a folder")).expect("making out/tests");
    path
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// A path below `out/`.
pub fn out(path: &str) -> PathBuf {
    root().join("out").join(path)
}

/// Where `scripts/demo deploy` installs.
pub fn deployed_disk() -> PathBuf {
    out("demo/deployed.raw")
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs a program that has to succeed; gives what it said.
pub fn run(program: &str, arguments: &[&str]) -> String {
    String::from_utf8_lossy(&run_for_bytes(program, arguments)).into_owned()
}

fn run_for_bytes(program: &str, arguments: &[&str]) -> Vec<u8> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error} (make setup installs it)"));
    assert!(
        output.status.success(),
        "{program} {arguments:?} failed:\n{}",
        text_of(&output)
    );
    output.stdout
}

/// A test must take the same way everywhere: on some machines KVM starts a guest and then stops in the middle.
const TRANSLATED: &str = "--accelerator=tcg";

/// Runs a scenario of the demonstration to its end, on a machine with one processor; its output is shown when it fails.
pub fn demo(arguments: &[&str]) {
    run_demo(arguments, &[]);
}

/// The same, with media and results in another folder: another test looks at those of this scenario.
pub fn demo_into(folder: &str, arguments: &[&str]) {
    run_demo(arguments, &[format!("DEMO_OUTPUT={folder}")]);
}

fn run_demo(arguments: &[&str], variables: &[String]) {
    let script = root().join("scripts/demo").display().to_string();
    let (name, others) = arguments.split_first().expect("the name of the scenario");
    // With several, QEMU 7.2 rarely runs an instruction that the guest has just replaced.
    let arguments = [&[script.as_str(), name, TRANSLATED, "--cpus=1"], others].concat();
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    let _held = Processors::take(1);
    println!("{}", run("env", &[&variables, &arguments[..]].concat()));
}

/// Builds a project of `demo/`; gives the image.
pub fn project(name: &str, format: &str, environment: &[(&str, &str)]) -> PathBuf {
    build(&root().join(format!("demo/{name}.toml")), format, environment)
}

/// Builds a project; gives the image.
pub fn build(project: &Path, format: &str, environment: &[(&str, &str)]) -> PathBuf {
    let name = project.file_stem().unwrap_or_default().to_string_lossy();
    let image = own(&name, format);
    let output = Command::new(out("bin/media-builder"))
        .arg("build")
        .arg(project)
        .args(["--format", format, "--output"])
        .arg(&image)
        .env("CAPTURE_PASSWORD", "demonstration")
        .envs(environment.iter().copied())
        .output()
        .expect("out/bin/media-builder (make build makes it)");
    assert!(output.status.success(), "building {name}:\n{}", text_of(&output));
    image
}

/// Runs media until the machine says this, and presses Ctrl-C, which cuts the machine's power and leaves nothing behind.
pub fn try_until(media: &Path, arguments: &[&str], said: &str) {
    let _held = Processors::take(1);
    let mut running = trying(media, arguments)
        .stderr(Stdio::piped())
        .spawn()
        .expect("out/bin/media-builder");
    let mut heard = String::new();
    let mut lines = BufReader::new(running.stderr.take().expect("its output"));
    while !heard.contains(said) && lines.read_line(&mut heard).expect("its output") > 0 {}
    run("kill", &["-INT", &running.id().to_string()]);
    lines.read_to_string(&mut heard).expect("its output");
    let status = running.wait().expect("its end");
    assert_eq!(status.code(), Some(1), "{heard}");
    assert!(
        heard.contains(said) && heard.contains("the run was interrupted"),
        "{heard}"
    );
    let (_, folder) = heard.split_once("its files are in ").expect("the run's folder");
    let folder = Path::new(folder.lines().next().unwrap_or_default());
    assert!(!folder.exists(), "{} is still there", folder.display());
}

/// Runs media that must fail; gives what was said.
pub fn failing_try(media: &Path, arguments: &[&str]) -> String {
    let (status, said) = try_media(media, arguments);
    assert_eq!(status, Some(1), "the run was to fail:\n{said}");
    said
}

/// Where the run of media leaves what it captured, and its logs.
pub fn results_of(media: &Path) -> PathBuf {
    media.with_extension("results")
}

/// Runs media; gives the exit status and what was said.
pub fn try_media(media: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    finish(media, trying(media, arguments))
}

fn finish(media: &Path, mut command: Command) -> (Option<i32>, String) {
    let _held = Processors::take(1);
    let output = command.output().expect("out/bin/media-builder");
    let _ = fs::remove_file(media);
    (output.status.code(), text_of(&output))
}

fn trying(media: &Path, arguments: &[&str]) -> Command {
    // A former process may have had the same number.
    let _ = fs::remove_dir_all(results_of(media));
    let mut command = Command::new(out("bin/media-builder"));
    command
        .arg("try")
        .arg(media)
        .args(arguments)
        .args([TRANSLATED, "--cpus=1", "--timeout=40", "--output"])
        .arg(results_of(media));
    command
}

/// A sparse disk of 20 GiB without anything on it.
pub fn empty_disk(name: &str) -> String {
    empty_disk_of(name, 20 << 30)
}

/// A sparse disk without anything on it.
pub fn empty_disk_of(name: &str, bytes: u64) -> String {
    let path = own(name, "raw");
    File::create(&path)
        .and_then(|file| file.set_len(bytes))
        .expect("making a disk");
    path.display().to_string()
}

/// Nothing was written to the disk: it has no block at all.
pub fn assert_empty(disk: &str) {
    use std::os::unix::fs::MetadataExt as _;
    let blocks = fs::metadata(disk).expect("the disk").blocks();
    assert_eq!(blocks, 0, "{disk} was written to");
    fs::remove_file(disk).expect("removing the disk");
}

/// Flips a bit of the image file that the media carries, a megabyte after its beginning.
pub fn damage(media: &Path) {
    let file = File::options()
        .read(true)
        .write(true)
        .open(media)
        .expect("opening the media");
    let length = file.metadata().expect("the media's size").len();
    let mut sector = [0; 8];
    let begins_here =
        |offset: &u64| file.read_exact_at(&mut sector, *offset).is_ok() && sector == *b"MSWIM\0\0\0";
    let start = (0..length)
        .step_by(512)
        .find(begins_here)
        .expect("a WIM on the media");
    let mut byte = [0];
    file.read_exact_at(&mut byte, start + (1 << 20)).expect("reading");
    file.write_all_at(&[byte[0] ^ 1], start + (1 << 20))
        .expect("writing");
}

/// Shortens the log on the disk's FAT volume to some bytes of its first cluster, and leaves it its other clusters: what a power
/// cut leaves where the file's chain was written and its size was not.
pub fn shorten_log(disk: &str) {
    let disk = File::options()
        .read(true)
        .write(true)
        .open(disk)
        .expect("the disk");
    // The short name, then the attribute of a file; the size is the last of the entry's 32 bytes (FAT specification, 6).
    let mut start = vec![0; 64 << 20];
    disk.read_exact_at(&mut start, 0)
        .expect("the beginning of the disk");
    let entries: Vec<_> = start
        .chunks_exact(32)
        .enumerate()
        .filter(|(_, entry)| entry.starts_with(b"SMSTS   LOG\x20"))
        .collect();
    let [(index, entry)] = entries[..] else {
        panic!("{} logs on the disk", entries.len());
    };
    let size = u32::from_le_bytes(entry[28..].try_into().expect("four bytes"));
    assert!(size > 4096, "the log has one cluster: {size} bytes");
    disk.write_all_at(&100_u32.to_le_bytes(), index as u64 * 32 + 28)
        .expect("writing");
}

/// SHA-256 of a file.
pub fn digest(path: &Path) -> String {
    let mut file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    while let count @ 1.. = file.read(&mut buffer).expect("reading") {
        hash.update(&buffer[..count]);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Files below a folder with that ending.
pub fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// The XML metadata of a WIM.
pub fn xml_of(wim: &Path) -> String {
    let about = run_for_bytes("wimlib-imagex", &["info", "--xml", &wim.display().to_string()]);
    let units: Vec<u16> = about
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .collect();
    String::from_utf16(&units).expect("the WIM's XML")
}

/// The version of an installed package, in dpkg's status.
fn version_in(status: &str, package: &str) -> Option<String> {
    let entry = status
        .split("\n\n")
        .find(|entry| entry.lines().any(|line| line == format!("Package: {package}")))?;
    let installed = entry.lines().any(|line| line == "Status: install ok installed");
    let version = entry.lines().find_map(|line| line.strip_prefix("Version: "))?;
    installed.then(|| version.to_owned())
}
