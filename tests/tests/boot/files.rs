//! A tree that file systems get wrong easily, for the kernel of a boot image to read.

use std::fs;
use std::path::Path;

use crate::support::{self, out, run};

/// What runs in the boot image, in the package's folder: every file is what it was, and there are as many as there were.
const CHECK: &str = r#"set -eu
sha256sum -c ../SUMS >/tmp/checked || { grep -v ': OK$' /tmp/checked >&2; exit 1; }
found=$(find . -type f | wc -l)
[ "$found" = "$1" ] || { echo "$found files instead of $1" >&2; exit 1; }
folders=$(find . -type d | wc -l)
[ "$folders" = "$2" ] || { echo "$folders folders instead of $2" >&2; exit 1; }
"#;

/// Writes a project with such a package into a folder; its sequence fails where a file is not what it was.
fn project(folder: &Path, boot_image: &Path) {
    let package = folder.join("package");
    let (files, folders) = tree(&package.join("tree"));
    let list = "cd \"$1\" && find . -type f -exec sha256sum {} + >../SUMS";
    let tree = package.join("tree").display().to_string();
    run("sh", &["-c", list, "sh", &tree]);
    fs::write(package.join("check.sh"), CHECK).expect("writing");
    fs::write(folder.join("files.toml"), media(boot_image)).expect("writing");
    fs::write(folder.join("sequence.toml"), sequence(files, folders)).expect("writing");
}

fn media(boot_image: &Path) -> String {
    format!(
        "name = \"Files\"\nboot-image = \"{}\"\nsequences = [\"sequence.toml\"]\nunattended = true\n\
         usb = {{ free = \"16 MB\" }}\n[[packages]]\nid = \"tree\"\nname = \"Tree\"\nkind = \"files\"\nsource = \"package\"\n",
        boot_image.display()
    )
}

fn sequence(files: usize, folders: usize) -> String {
    format!(
        "name = \"Compare files\"\noperating-system = \"linux\"\n[[steps]]\ntype = \"run-script\"\nname = \"Compare\"\n\
         package = \"tree\"\nfile = \"check.sh\"\nworking-folder = \"tree\"\narguments = [\"{files}\", \"{folders}\"]\n"
    )
}

/// Gives how many files there are, and how many folders with its root.
fn tree(root: &Path) -> (usize, usize) {
    let (mut files, mut folders) = (0, 1);
    let mut folder = |path: &Path| {
        fs::create_dir_all(path).expect("making a folder");
        folders += 1;
    };
    let mut deep = root.to_owned();
    for level in 0..12 {
        deep = deep.join(format!("level {level}"));
        folder(&deep);
    }
    for path in ["empty", "many", "names"] {
        folder(&root.join(path));
    }
    let mut write = |path: &Path, length: usize| {
        // No piece is like another: one in a wrong place is seen.
        let words =
            (0..length.div_ceil(4)).map(|word| (word as u32).wrapping_mul(0x9e37_79b9) ^ files as u32);
        let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        bytes.truncate(length);
        fs::write(path, bytes).expect("writing");
        files += 1;
    };
    write(&deep.join("at the bottom"), 5000);
    // Around a sector of a disk, one of a disc, and clusters.
    for size in [512, 2048, 4096, 32 << 10, 128 << 10, 1 << 20, 40 << 20] {
        for length in [size - 1, size, size + 1] {
            write(&root.join(format!("{length} bytes")), length);
        }
    }
    write(&root.join("no bytes"), 0);
    for number in 0..2000 {
        write(&root.join(format!("many/file number {number}.dat")), number);
    }
    let long = ["long".repeat(60), format!("{}.txt", "\u{e9}".repeat(100))];
    let names = [
        ".begins with a dot",
        "several.dots.in.it",
        "UPPER and lower",
        "caf\u{e9} \u{65e5}\u{672c}\u{8a9e} \u{1f600}",
        "it's #100%, & (so on) [yes] {no} = +1~!@$^`",
        "CONSOLE.txt",
        "1234567890123.TXT",
    ];
    for name in names.into_iter().chain(long.iter().map(String::as_str)) {
        write(&root.join("names").join(name), 700);
    }
    (files, folders)
}

fn files_are_what_they_were(boot_image: &Path, format: &str, firmware: &str) {
    let folder = support::own("files", "project");
    project(&folder, boot_image);
    let media = support::build(&folder.join("files.toml"), format, &[]);
    let (status, said) = support::try_media(&media, &[firmware, "--no-disk"]);
    assert_eq!(status, Some(0), "{said}");
    fs::remove_dir_all(folder).unwrap();
}

/// Judges by the kernel's exFAT what is written by ours.
#[test]
fn a_stick_has_every_file_for_the_kernel_of_the_boot_image() {
    files_are_what_they_were(&out("boot-image/linux-pe.tar"), "usb", "--firmware=uefi");
}

/// The same for ISO 9660, and shows that a boot image of another release than the default starts.
#[test]
fn a_disc_has_every_file_for_the_kernel_of_debian_12() {
    let boot_image = out("tests/bookworm.tar");
    let text = boot_image.display().to_string();
    let cache = out("cache/boot-image").display().to_string();
    let build = [
        "boot-image",
        "build",
        "--suite=bookworm",
        "--cache",
        &cache,
        "--output",
        &text,
    ];
    support::run(&out("bin/media-builder").display().to_string(), &build);
    files_are_what_they_were(&boot_image, "iso", "--firmware=bios");
    fs::remove_file(boot_image).unwrap();
}
