//! Small projects, built by the program itself, for tests from outside.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use media_format::manifest::{Manifest, hex};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A folder with a boot image, a project, and a cache of its own.
pub(crate) struct Fixture {
    folder: TempDir,
}

pub(crate) const SEQUENCE: &str = r#"
name = "Copy a tool"
operating-system = "linux"
[[steps]]
type = "run-command-line"
name = "Say hello"
command = "sh hello.sh"
package = "tool"
"#;

pub(crate) const MEDIA: &str = r#"
name = "A test's media"
boot-image = "pe.tar"
sequences = ["copy.toml"]
[usb]
free = "40 MiB"
[[packages]]
id = "tool"
kind = "files"
source = "tool"
[[packages]]
id = "stays-at-home"
kind = "files"
source = "does/not/exist"
"#;

/// A driver of a disk controller, of two files.
pub(crate) const INF: &str = "[Version]\nSignature=$Windows NT$\nClass=SCSIAdapter\n\
    ClassGuid={4D36E97B-E325-11CE-BFC1-08002BE10318}\nProvider=P\nDriverVer=01/02/2023,1.2.3.4\n\
    [Manufacturer]\nP=M,NTamd64\n[M.NTamd64]\nD=I,PCI\\VEN_8086&DEV_9A0B\n[I.NT]\nCopyFiles=@d.sys,@gone.sys\n\
    [I.NT.Services]\nAddService=d,2,S\n[S]\nServiceType=1\nStartType=0\nServiceBinary=%12%\\d.sys\n\
    [SourceDisksNames]\n1=x\n[SourceDisksFiles]\nd.sys=1\ngone.sys=1\n";

impl Fixture {
    /// A project with a package of several kinds of files.
    pub(crate) fn new() -> Self {
        let fixture = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fixture.write("media.toml", MEDIA);
        fixture.write("copy.toml", SEQUENCE);
        fixture.write("tool/hello.sh", "echo hello\n");
        fixture.write("tool/empty", "");
        fixture.write(
            "tool/A name with späces and nearly as many as Joliet has.text",
            "long",
        );
        fs::create_dir_all(fixture.path("tool/deep/empty folder")).unwrap();
        for number in 0..300_u32 {
            let text = format!("{number} ").repeat(number as usize * 7);
            fixture.write(&format!("tool/many/{number:03}.txt"), &text);
        }
        let large: Vec<u8> = (0..5_000_001_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        fs::write(fixture.path("tool/large.bin"), large).unwrap();
        fixture.boot_image(&[]);
        fixture
    }

    /// Makes the boot image anew, without those members.
    pub(crate) fn boot_image(&self, without: &[&str]) {
        boot_image(&self.path("pe.tar"), without, &["ntfs3"]);
    }

    /// Makes the boot image anew, with those kernel modules.
    pub(crate) fn boot_image_with_modules(&self, modules: &[&str]) {
        boot_image(&self.path("pe.tar"), &[], modules);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The program with a cache of its own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_media-builder"));
        command.args(arguments).current_dir(self.folder.path());
        command
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("SOURCE_DATE_EPOCH")
            .env("NO_COLOR", "1");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the program and expects success; returns what it printed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs the program and expects failure; returns what it said.
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stderr)
    }

    /// Replaces a part of a file.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let before = fs::read_to_string(self.path(name)).unwrap();
        assert!(before.contains(from), "{name} has no {from}");
        self.write(name, &before.replacen(from, to, 1));
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a foreign tool and expects it to be content.
pub(crate) fn judge(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed by this test: {error}"));
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}

/// Every file beneath `folder` that the manifest names for a volume has its size and digest; returns how many.
pub(crate) fn compare(manifest: &Manifest, folder: &Path, takes: impl Fn(&str) -> bool) -> usize {
    let files: Vec<_> = manifest.files.iter().filter(|file| takes(&file.path)).collect();
    for file in &files {
        let bytes =
            fs::read(folder.join(&file.path)).unwrap_or_else(|error| panic!("{}: {error}", file.path));
        assert_eq!(bytes.len() as u64, file.size, "{}", file.path);
        assert_eq!(hex(&Sha256::digest(&bytes)), file.sha256, "{}", file.path);
    }
    files.len()
}

/// A boot image of the right form, with parts that no machine would start.
fn boot_image(path: &Path, without: &[&str], modules: &[&str]) {
    let mut parts: Vec<(&str, Vec<u8>)> = vec![
        ("vmlinuz", pattern(300_000, 1)),
        ("initrd.img", pattern(700_001, 2)),
        ("efi/BOOTX64.EFI", pattern(90_000, 3)),
        ("efi/grubx64.efi", pattern(120_000, 4)),
        ("efi/mmx64.efi", pattern(80_000, 5)),
        ("bios/boot.img", boot_sector()),
        ("bios/boot_hybrid.img", boot_sector()),
        ("bios/core-usb.img", core(30_000)),
        ("bios/eltorito.img", pattern(31_000, 6)),
        ("windows/media-runtime.exe", b"MZ".to_vec()),
    ];
    parts.retain(|(path, _)| !without.contains(path));
    let members: Vec<_> = parts
        .iter()
        .map(|(path, bytes)| json!({ "path": path, "size": bytes.len(), "sha256": hex(&Sha256::digest(bytes)) }))
        .collect();
    let manifest = json!({
        "format": 1, "suite": "test", "architecture": "x86_64", "kernel_version": "0", "initramfs_unpacked": 0,
        "packages": {}, "modules": modules, "members": members,
    });
    let mut archive = tar::Builder::new(fs::File::create(path).unwrap());
    append(&mut archive, "boot-image.json", manifest.to_string().as_bytes());
    for (path, bytes) in &parts {
        append(&mut archive, path, bytes);
    }
    archive.finish().unwrap();
}

fn append(archive: &mut tar::Builder<fs::File>, path: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, path, bytes).unwrap();
}

fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|i| (i / 7) as u8 ^ seed).collect()
}

/// What GRUB's boot.img must look like for its addresses to be filled in.
fn boot_sector() -> Vec<u8> {
    let mut sector = vec![0; 512];
    sector[0] = 0xEB;
    sector[0x66] = 0xEB;
    sector[510..].copy_from_slice(&[0x55, 0xAA]);
    sector
}

fn core(length: usize) -> Vec<u8> {
    let mut core = pattern(length, 7);
    core[500..510].fill(0);
    core[510..512].copy_from_slice(&0x0820_u16.to_le_bytes());
    core
}
