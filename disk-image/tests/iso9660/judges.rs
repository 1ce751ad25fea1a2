//! Foreign programs and what they must say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::sample::Sample;

/// Runs a program, expects success, and returns what it printed on both outputs.
pub(crate) fn run(program: &str, package: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; install the package {package}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{text}",
        output.status
    );
    text
}

pub(crate) fn path_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn xorriso(image: &Path, arguments: &[&str]) -> String {
    run(
        "xorriso",
        "xorriso",
        &[&["-indev", path_text(image)], arguments].concat(),
    )
}

pub(crate) fn isoinfo(image: &Path, arguments: &[&str]) -> String {
    run(
        "isoinfo",
        "genisoimage",
        &[&["-i", path_text(image)], arguments].concat(),
    )
}

/// 7z must find nothing to remark.
pub(crate) fn seven_zip_is_content(image: &Path) {
    let text = run("7z", "p7zip-full", &["t", path_text(image)]);
    assert!(text.contains("Everything is Ok"), "{text}");
    let remark = ["warning", "error", "unexpected", "tail size"];
    let found = text
        .lines()
        .find(|line| remark.iter().any(|word| line.to_lowercase().contains(word)));
    assert_eq!(found, None, "{text}");
}

pub(crate) fn sgdisk_is_content(image: &Path) {
    let text = run("sgdisk", "gdisk", &["--verify", path_text(image)]);
    assert!(text.contains("No problems found"), "{text}");
    let found = text
        .lines()
        .find(|line| ["Caution", "Warning", "Problem"].iter().any(|w| line.contains(w)));
    assert_eq!(found, None, "{text}");
}

/// Extracts with 7z (which reads Joliet, or else Rock Ridge) and with xorriso (Rock Ridge) and compares everything.
pub(crate) fn extracts_to(image: &Path, sample: &Sample) {
    for (program, extract) in [
        ("7z", extract_7z as fn(&Path, &Path)),
        ("xorriso", extract_xorriso),
    ] {
        let out = in_memory();
        extract(image, out.path());
        run("chmod", "coreutils", &["-R", "u+w", path_text(out.path())]);
        let mut found = Found::default();
        found.read(out.path(), "");
        assert_eq!(found.folders, sample.folders, "folders by {program}");
        assert!(
            found.files.keys().eq(sample.files.keys()),
            "names by {program}: {:?}",
            found.files.keys()
        );
        for (path, bytes) in &sample.files {
            assert!(&found.files[path] == bytes, "{path} by {program} differs");
        }
    }
}

/// Where the system has a place for it: ext4 takes minutes to make ten thousands of files where as many were just removed.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn extract_7z(image: &Path, out: &Path) {
    let folder = format!("-o{}", path_text(out));
    run("7z", "p7zip-full", &["x", "-y", "-bd", &folder, path_text(image)]);
    let boot_images = out.join("[BOOT]"); // 7z shows El Torito images there
    if boot_images.exists() {
        fs::remove_dir_all(boot_images).unwrap();
    }
}

fn extract_xorriso(image: &Path, out: &Path) {
    let options = [
        "-osirrox",
        "on",
        "-indev",
        path_text(image),
        "-extract",
        "/",
        path_text(out),
    ];
    run("xorriso", "xorriso", &options);
}

#[derive(Default)]
struct Found {
    files: BTreeMap<String, Vec<u8>>,
    folders: BTreeSet<String>,
}

impl Found {
    fn read(&mut self, folder: &Path, prefix: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                self.read(&entry.path(), &format!("{path}/"));
                self.folders.insert(path);
            } else {
                self.files.insert(path, fs::read(entry.path()).unwrap());
            }
        }
    }
}
