//! A Windows of an NTFS and a FAT32 volume: media that deploy it with `all-volumes`, and what then lies on the second one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::existing::run;
use super::start_up;
use crate::support;

/// Links and streams: what these leave of the stand-in's files has security, attributes and a short name besides its content.
const NOT_ON_FAT: &str = "[ExclusionList]
/Windows
\"/Documents and Settings\"
/Users/Public/Downloads
";

const PARTITIONS: &str = r#"partitions = [
    { kind = "primary", file-system = "ntfs", size = "2 GB" },
    { kind = "primary", file-system = "fat32", size = "256 MB" },
  ]"#;
/// Behind the EFI system partition, the reserved one, and that of Windows.
const NUMBER: &str = "4";

const LARGE: &str = "A file of many clusters.bin";

/// The stand-in, and a part of it with a large file as an image of its own. Both come from NTFS.
fn two_images(installation: &Path, wim: &Path) {
    let (volume, config) = (wim.with_extension("ntfs"), wim.with_extension("ini"));
    let large = wim.with_extension("bin");
    let numbers = 0_u32..300_000;
    fs::write(&large, numbers.flat_map(u32::to_le_bytes).collect::<Vec<u8>>()).expect("a large file");
    let content = File::create(&volume).expect("a volume");
    content.set_len(256 << 20).expect("its size");
    fs::write(&config, NOT_ON_FAT).expect("the exclusions");
    let [from, wim, volume, config, large] =
        [installation, wim, &volume, &config, &large].map(|path| path.display().to_string());
    run("mkntfs", &["-Q", "-F", &volume]);
    run("wimlib-imagex", &["apply", &from, "1", &volume]);
    run("ntfscp", &["-q", &volume, &large, LARGE]);
    run("wimlib-imagex", &["export", &from, "1", &wim]);
    let config = format!("--config={config}");
    run("wimlib-imagex", &["append", &volume, &wim, "Data", &config]);
}

/// The project of that name, which deploys both images.
pub(crate) fn media(name: &str, installation: &Path) -> (PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wim = folder.path().join("two.wim");
    two_images(installation, &wim);
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo");
    let write = |name: &str, changes: &[(&str, &str)]| {
        let mut text = fs::read_to_string(demo.join(name)).expect("a file of the demonstration");
        for (from, to) in changes {
            assert!(text.contains(from), "{name} has no {from}");
            text = text.replace(from, to);
        }
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file of the project");
        path
    };
    let style = "style = \"by-firmware\"";
    let layout = format!("{style}\n  {PARTITIONS}");
    write(
        "windows-sysprep-sequence.toml",
        &[(style, &layout), ("index = 1", "all-volumes = true")],
    );
    let out = format!(
        "\"{}/",
        support::out("").display().to_string().trim_end_matches('/')
    );
    let project = write(
        &format!("{name}.toml"),
        &[
            ("\"../out/stand-in/install.wim\"", "\"two.wim\""),
            ("\"../out/", &out),
        ],
    );
    (support::build(&project, "usb", &[]), folder)
}

/// Each file of the second image is on the second volume, and nothing else.
pub(crate) fn assert_deployed(disk: &str, project: &Path) {
    let about = support::run("sgdisk", &["--info", NUMBER, disk]);
    let first = about.split("First sector: ").nth(1).expect("its place");
    let first = first.split_whitespace().next().expect("a number");
    let sector: u64 = first.parse().expect("a number");
    let [expected, found] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let wim = project.join("two.wim").display().to_string();
    let into = |folder: &tempfile::TempDir| folder.path().display().to_string();
    run("wimlib-imagex", &["apply", &wim, "2", &into(&expected)]);
    assert!(expected.path().join(LARGE).exists(), "nothing to compare");
    let volume = format!("{disk}@@{}", sector * 512);
    run("mcopy", &["-s", "-i", &volume, "::*", &into(&found)]);
    start_up::assert_same(&expected, &found);
}
