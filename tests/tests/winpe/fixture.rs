//! What stands for Microsoft's files: of the right names and forms, with content that no machine would start.
#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Who signs the loader.
pub const SIGNER: &str = "Microsoft Windows Production PCA 2011";
/// Any program of UEFI will do.
const LOADER: &str = "/usr/lib/grub/x86_64-efi/monolithic/grubnetx64.efi";
pub const PLAIN: &str = "Microsoft Windows PE (amd64)";
pub const SETUP: &str = "Microsoft Windows Setup (amd64)";

const INF: &str = "[Version]\nSignature=\"$WINDOWS NT$\"\nClass=SCSIAdapter\n\
    ClassGuid={4d36e97b-e325-11ce-bfc1-08002be10318}\nProvider=\"Maker\"\nDriverVer=01/02/2024,1.2.3.4\n\
    [Manufacturer]\n\"Maker\"=Models,NTamd64\n[Models.NTamd64]\n\"Controller\"=Install,PCI\\VEN_8086&DEV_467F\n\
    [Install]\nCopyFiles=Files\n[Files]\ndisk.sys\n[SourceDisksNames]\n1=disk\n[SourceDisksFiles]\ndisk.sys=1\n\
    [DestinationDirs]\nFiles=12\n";

/// A folder for a test's files.
pub struct Fixture(TempDir);

impl Fixture {
    pub fn new() -> Self {
        let fixture = Self(tempfile::tempdir().expect("a folder"));
        fixture.write("media-runtime.exe", b"MZ the runtime for Windows");
        fixture.write("vmd/disk.inf", INF.as_bytes());
        fixture.write("vmd/disk.sys", b"MZ a driver");
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
        fs::write(path, content).expect("writing");
    }

    /// A WIM with a WinPE, and with the same that also has Windows Setup. Without `with_discs` it lacks what discs start
    /// with, as the ADK's does.
    pub fn boot_wim(&self, name: &str, with_discs: bool) {
        for file in [
            "System32/wpeinit.exe",
            "System32/winpeshl.exe",
            "Boot/PCAT/bootmgr",
            "Boot/EFI/bootmgr.efi",
        ] {
            self.write(&format!("tree/Windows/{file}"), file.as_bytes());
        }
        self.loader("tree/Windows/Boot/EFI/bootmgfw.efi");
        self.write("tree/Windows/Boot/Fonts/wgl4_boot.ttf", b"a font");
        self.write("tree/Windows/Boot/DVD/EFI/boot.sdi", &[7; 3_170_304]);
        if with_discs {
            self.write("tree/Windows/Boot/DVD/PCAT/etfsboot.com", &[0x90; 4096]);
            self.uefi_image("tree/Windows/Boot/DVD/EFI/en-US/efisys_noprompt.bin");
        }
        self.capture("capture", name, PLAIN);
        self.write("tree/sources/setup.exe", b"MZ Windows Setup");
        self.capture("append", name, SETUP);
        fs::remove_dir_all(self.path("tree")).expect("removing the tree");
    }

    fn capture(&self, verb: &str, name: &str, image: &str) {
        fs::create_dir_all(self.path(name).parent().expect("a folder")).expect("making a folder");
        let (tree, wim) = (self.text("tree"), self.text(name));
        let mut arguments = vec![verb, tree.as_str(), wim.as_str(), image, "--quiet"];
        for property in [
            "WINDOWS/ARCH=9",
            "WINDOWS/INSTALLATIONTYPE=WindowsPE",
            "WINDOWS/VERSION/MAJOR=10",
            "WINDOWS/VERSION/MINOR=0",
            "WINDOWS/VERSION/BUILD=26100",
            "WINDOWS/VERSION/SPBUILD=1",
            "WINDOWS/LANGUAGES/LANGUAGE=nl-NL",
            "WINDOWS/LANGUAGES/DEFAULT=nl-NL",
        ] {
            arguments.extend(["--image-property", property]);
        }
        if verb == "capture" {
            arguments.push("--compress=lzx");
        }
        run("wimlib-imagex", &arguments);
    }

    /// A program of UEFI, signed.
    fn loader(&self, name: &str) {
        self.write(name, b"");
        let (key, certificate, output) = (self.text("key"), self.text("certificate"), self.text(name));
        let subject = format!("/CN={SIGNER}");
        let request = [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", &subject,
        ];
        run(
            "openssl",
            &[&request[..], &["-keyout", &key, "-out", &certificate]].concat(),
        );
        run(
            "sbsign",
            &["--key", &key, "--cert", &certificate, "--output", &output, LOADER],
        );
    }

    /// As the real one: a floppy disk's FAT volume with a loader.
    pub fn uefi_image(&self, name: &str) {
        self.write(name, &vec![0; 1_474_560]);
        self.write("cdboot.efi", b"MZ cdboot_noprompt.efi");
        let (image, loader) = (self.text(name), self.text("cdboot.efi"));
        run("mkfs.fat", &["-i", "12345678", &image]);
        run("mmd", &["-i", &image, "::EFI", "::EFI/BOOT"]);
        run("mcopy", &["-i", &image, &loader, "::EFI/BOOT/BOOTX64.EFI"]);
    }

    /// The files of a Windows disc in a folder.
    pub fn disc(&self, folder: &str) {
        self.boot_wim(&format!("{folder}/sources/boot.wim"), false);
        for file in [
            "bootmgr",
            "bootmgr.efi",
            "boot/bcd",
            "boot/bootfix.bin",
            "efi/microsoft/boot/bcd",
            "setup.exe",
        ] {
            self.write(
                &format!("{folder}/{file}"),
                format!("{file} of the disc").as_bytes(),
            );
        }
        self.write(&format!("{folder}/boot/boot.sdi"), &[8; 3_170_304]);
        self.write(
            &format!("{folder}/boot/fonts/wgl4_boot.ttf"),
            b"a font of the disc",
        );
        self.write(&format!("{folder}/boot/etfsboot.com"), &[0x91; 4096]);
        self.loader(&format!("{folder}/efi/boot/bootx64.efi"));
        self.uefi_image(&format!("{folder}/efi/microsoft/boot/efisys_noprompt.bin"));
        self.write(&format!("{folder}/sources/install.wim"), &[0; 100_000]);
    }

    /// Makes the boot image; gives what the program said.
    pub fn build(&self, source: &str, output: &str, more: &[&str]) -> Output {
        let (source, output) = (self.text(source), self.text(output));
        let runtime = self.text("media-runtime.exe");
        let arguments = [
            "boot-image",
            "build",
            "--winpe",
            &source,
            "-o",
            &output,
            "--windows-runtime",
            &runtime,
        ];
        self.media_builder(&[&arguments[..], more].concat())
    }

    pub fn media_builder(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(out("bin/media-builder"));
        command.args(arguments).current_dir(self.0.path());
        command
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("SOURCE_DATE_EPOCH");
        command.output().expect("out/bin/media-builder (make programs)")
    }

    /// Runs the program and expects success; gives its output.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        succeeded(&self.media_builder(arguments))
    }

    /// Unpacks a boot image.
    pub fn unpack(&self, image: &str, folder: &str) {
        let (image, folder) = (self.text(image), self.text(folder));
        fs::create_dir(&folder).expect("a folder");
        run("tar", &["-xf", &image, "-C", &folder]);
    }

    /// A project for a Windows, with that boot image.
    pub fn project(&self) {
        let media = "name = \"Windows by WinPE\"\nboot-image = \"winpe.tar\"\nsequences = [\"run.toml\"]\n\
            [usb]\nfree = \"40 MiB\"\n[[packages]]\nid = \"tool\"\nkind = \"files\"\nsource = \"tool\"\n";
        self.write("media.toml", media.as_bytes());
        let sequence = "name = \"Run\"\noperating-system = \"windows\"\n[[steps]]\ntype = \"run-command-line\"\n\
            name = \"Run\"\ncommand = \"tool.cmd\"\npackage = \"tool\"\n";
        self.write("run.toml", sequence.as_bytes());
        self.write("tool/tool.cmd", b"exit 0");
        self.write(
            "tool/A folder with spaces/A name that is longer than ISO 9660 has.txt",
            b"long",
        );
    }
}

/// A path below `out/`.
pub fn out(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    root.join("out").join(path)
}

/// The standard output of a program that must have succeeded.
pub fn succeeded(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The standard error of a program that must have failed.
pub fn failed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

/// Runs a foreign tool that must succeed; gives both its outputs.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("LC_ALL", "C.UTF-8")
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error} (make setup installs it)"));
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?} failed:\n{text}");
    text
}
