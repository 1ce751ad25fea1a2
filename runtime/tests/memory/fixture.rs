//! Media, machines and task sequences of the tests.

use std::collections::BTreeMap;

use media_format::drivers::DriverIndex;
use media_format::manifest::{
    FORMAT, FileEntry, Install, Manifest, MediaLayout, Options, Package, PackageKind, Role, SequenceEntry,
    Volume as On, hex, restart_codes, success_codes,
};
use media_format::paths;
use runtime::media::OnStick;
use runtime::platform::{Bus, Firmware};
use sha2::{Digest as _, Sha256};

use crate::images::{Image, Wim};
use crate::world::{Drive, Share, Tree, Volume, World, file};

/// Id of the media.
pub(crate) const MEDIA: &str = "4b2c9a52-7f1e-4c55-9a55-0d8a5f4f7a11";
/// Where the captures of the tests on a share go.
pub(crate) const SHARE: &str = "//server/captures";
/// Password of that share, looked for everywhere.
pub(crate) const CAPTURE_CANARY: &str = "Canary-Capture-7391";
/// Password of the administrator, looked for everywhere.
pub(crate) const ADMIN_CANARY: &str = "Canary-Admin-5502";
/// Password of the account that joins a domain, looked for everywhere.
pub(crate) const JOIN_CANARY: &str = "Canary-Join-1188";
const SIZE: u64 = 8 << 30;

/// Builds a media from a sequence.
pub(crate) struct MediaBuilder {
    layout: MediaLayout,
    sequence: String,
    hidden: Vec<(String, String)>,
    pub(crate) options: Options,
    pub(crate) packages: Vec<Package>,
    pub(crate) organization: String,
    content: BTreeMap<String, Vec<u8>>,
    secrets: BTreeMap<String, String>,
    drivers: Option<Vec<u8>>,
}

impl MediaBuilder {
    pub(crate) fn new(layout: MediaLayout, sequence: &str) -> Self {
        let mut builder = Self {
            layout,
            sequence: sequence.into(),
            hidden: vec![],
            options: Options {
                unattended: true,
                ..Options::default()
            },
            packages: vec![],
            organization: String::new(),
            content: BTreeMap::new(),
            secrets: BTreeMap::new(),
            drivers: None,
        };
        builder.add_image("reference", &reference());
        builder.add_repository();
        builder.add(
            "editor",
            PackageKind::Application,
            Some(Install::Command("touch /opt-tool".into())),
            &["library"],
        );
        builder.add("files", PackageKind::Files, None, &[]);
        builder
            .content
            .insert("packages/files/readme".into(), b"read me".to_vec());
        builder
    }

    fn add(&mut self, id: &str, kind: PackageKind, install: Option<Install>, depends: &[&str]) {
        self.packages.push(Package {
            id: id.into(),
            name: id.into(),
            version: String::new(),
            kind,
            path: if install.is_some() {
                String::new()
            } else {
                format!("packages/{id}")
            },
            depends: depends.iter().map(|id| (*id).to_owned()).collect(),
            install,
            programs: BTreeMap::from([("again".to_owned(), "fail-times program 1 3010".to_owned())]),
            success_codes: success_codes(),
            restart_codes: restart_codes(),
        });
    }

    /// Adds an application that is installed that way.
    pub(crate) fn add_application(&mut self, id: &str, install: Install) {
        self.add(id, PackageKind::Application, Some(install), &[]);
        self.packages.last_mut().expect("just added").path = String::new();
    }

    /// Adds a file to the package `files`.
    pub(crate) fn add_file(&mut self, path: &str, text: &str) {
        self.content.insert(format!("packages/files/{path}"), text.into());
    }

    /// Gives a package those programs, by name.
    pub(crate) fn set_programs(&mut self, id: &str, programs: &[(&str, &str)]) {
        let package = self.packages.iter_mut().find(|package| package.id == id);
        let programs = programs
            .iter()
            .map(|(name, line)| ((*name).to_owned(), (*line).to_owned()));
        package.expect("a package").programs = programs.collect();
    }

    /// Puts those files into the reference.
    pub(crate) fn put_into_reference(&mut self, files: &[(&str, &str)]) {
        self.put_into_reference_without("", files);
    }

    /// The same, where the reference lacks a file.
    pub(crate) fn put_into_reference_without(&mut self, gone: &str, files: &[(&str, &str)]) {
        let mut volume = Volume {
            tree: reference(),
            ..Volume::new("ext4", 0)
        };
        volume.tree.remove(gone);
        for (path, text) in files {
            volume.put(path, file(*text));
        }
        let images = vec![Image::new("Debian", &volume.tree)];
        self.put_image("reference", &Wim { images }.to_bytes());
    }

    /// Adds a driver package with those files, and the index of its INF file.
    pub(crate) fn add_drivers(&mut self, id: &str, files: &[(&str, &[u8])], index: &DriverIndex) {
        self.add(id, PackageKind::Driver, None, &[]);
        let before = format!("packages/{id}/");
        self.content.retain(|path, _| !path.starts_with(&before));
        for (path, bytes) in files {
            self.content
                .insert(format!("packages/{id}/{path}"), bytes.to_vec());
        }
        self.drivers = Some(index.to_bytes());
    }

    /// Adds a package with that WIM.
    pub(crate) fn add_wim(&mut self, id: &str, wim: &[u8]) {
        self.add(id, PackageKind::Image, None, &[]);
        self.put_image(id, wim);
    }

    fn add_image(&mut self, id: &str, tree: &Tree) {
        let wim = Wim {
            images: vec![Image::new("Debian", tree)],
        };
        self.add(id, PackageKind::Image, None, &[]);
        self.put_image(id, &wim.to_bytes());
    }

    /// Puts another WIM in the place of an image.
    pub(crate) fn put_image(&mut self, id: &str, wim: &[u8]) {
        let path = format!("packages/{id}/{id}.wim");
        let package = self.packages.iter_mut().find(|package| package.id == id);
        package.expect("a package").path.clone_from(&path);
        self.content.insert(path, wim.to_vec());
    }

    /// Puts a folder with those files in the place of an image.
    pub(crate) fn put_image_folder(&mut self, id: &str, files: &[(&str, Vec<u8>)]) {
        let path = format!("packages/{id}");
        self.content
            .retain(|known, _| !known.starts_with(&format!("{path}/")));
        for (name, bytes) in files {
            self.content.insert(format!("{path}/{name}"), bytes.clone());
        }
        let package = self.packages.iter_mut().find(|package| package.id == id);
        package.expect("a package").path = path;
    }

    /// Puts a file into the folder of a package.
    pub(crate) fn put_file(&mut self, package: &str, name: &str, bytes: &[u8]) {
        let path = format!("packages/{package}/{name}");
        self.content.insert(path, bytes.to_vec());
    }

    /// Takes a file out of a package.
    pub(crate) fn remove_file(&mut self, package: &str, name: &str) {
        self.content.remove(&format!("packages/{package}/{name}"));
    }

    fn add_repository(&mut self) {
        self.add("updates", PackageKind::Updates, None, &[]);
        let list = b"hello 2.0\nlibtool 1.0\nlinux-image 6.2\n";
        self.content
            .insert("packages/updates/Packages".into(), list.to_vec());
        let apt = Install::Apt {
            repository: "updates".into(),
            packages: vec!["libtool".into()],
        };
        self.add("library", PackageKind::Application, Some(apt), &[]);
        self.packages.last_mut().expect("just added").path = String::new();
    }

    pub(crate) fn secret(mut self, name: &str, value: &str) -> Self {
        self.options.secrets.insert(name.into());
        self.secrets.insert(name.into(), value.into());
        self
    }

    /// Adds a sequence that is not in the menu.
    pub(crate) fn hidden(mut self, id: &str, sequence: &str) -> Self {
        self.hidden.push((id.into(), sequence.into()));
        self
    }

    fn boot_files(&self) -> Vec<(String, Vec<u8>, Role)> {
        let sequence = format!("{}/main.toml", paths::SEQUENCES);
        let mut files = vec![(sequence, self.sequence.clone().into_bytes(), Role::Sequence)];
        for (id, text) in &self.hidden {
            let path = format!("{}/{id}.toml", paths::SEQUENCES);
            files.push((path, text.clone().into_bytes(), Role::Sequence));
        }
        if !self.secrets.is_empty() {
            let json = serde_json::to_vec(&self.secrets).expect("plain data");
            files.push((paths::SECRETS.into(), json, Role::Secrets));
        }
        if self.sequence.contains("operating-system = \"windows\"") {
            let runtime = b"the runtime".to_vec();
            files.push((paths::WINDOWS_RUNTIME.into(), runtime, Role::Boot));
        }
        let drivers = self.drivers.iter();
        files.extend(drivers.map(|index| (paths::DRIVERS.into(), index.clone(), Role::Drivers)));
        for path in [
            paths::KERNEL,
            paths::INITRD,
            paths::GRUB_CONFIG,
            "EFI/BOOT/BOOTX64.EFI",
            "EFI/BOOT/grubx64.efi",
        ] {
            files.push((path.into(), format!("content of {path}").into_bytes(), Role::Boot));
        }
        files
    }

    fn sequences(&self) -> Vec<SequenceEntry> {
        let entry = |id: &str, hidden| SequenceEntry {
            id: id.into(),
            name: id.into(),
            path: format!("{}/{id}.toml", paths::SEQUENCES),
            hidden,
        };
        // The menu begins with what it offers, wherever that stands.
        let hidden = self.hidden.iter().map(|(id, _)| entry(id, true));
        hidden.chain([entry("main", false)]).collect()
    }

    fn manifest(&self, files: Vec<FileEntry>) -> Manifest {
        Manifest {
            format: FORMAT,
            media_id: MEDIA.into(),
            name: "test".into(),
            organization: self.organization.clone(),
            layout: self.layout,
            builder: "0".into(),
            boot_image: "memory".into(),
            options: self.options.clone(),
            sequences: self.sequences(),
            packages: self.packages.clone(),
            files,
            regions: vec![],
        }
    }

    /// The disk that carries the media.
    pub(crate) fn drive(&self) -> Drive {
        let mut boot = Volume::new(
            if self.layout == MediaLayout::Iso {
                "iso9660"
            } else {
                "vfat"
            },
            1 << 30,
        );
        let mut data = Volume {
            label: paths::DATA_LABEL.into(),
            ..Volume::new("exfat", 4 << 30)
        };
        let mut entries = Vec::new();
        for (path, bytes, role) in self.boot_files() {
            entries.push(entry(&path, On::Boot, &bytes, role));
            boot.put(&path, file(bytes));
        }
        for (path, bytes) in &self.content {
            entries.push(entry(path, On::Data, bytes, Role::Package));
            let volume = if self.layout == MediaLayout::Iso {
                &mut boot
            } else {
                &mut data
            };
            volume.put(path, file(bytes.clone()));
        }
        boot.put(paths::MANIFEST, file(self.manifest(entries).to_bytes()));
        match self.layout {
            MediaLayout::Iso => Drive {
                is_media: true,
                volume_set: MEDIA.replace('-', ""),
                whole: Some(boot),
                ..Drive::empty("sr0", 1 << 30, Bus::Ata)
            },
            MediaLayout::Usb => {
                let id = |which: OnStick| which.guid(MEDIA).expect("the media's id is a UUID");
                let stick = Drive {
                    is_media: true,
                    ..Drive::empty("sdz", 16 << 30, Bus::Usb)
                };
                stick
                    .with(&id(OnStick::Boot), boot)
                    .with(&id(OnStick::Data), data)
            }
        }
    }
}

fn entry(path: &str, volume: On, bytes: &[u8], role: Role) -> FileEntry {
    let sha256 = hex(&Sha256::digest(bytes));
    FileEntry {
        path: path.into(),
        volume,
        size: bytes.len() as u64,
        sha256,
        role,
    }
}

/// A Debian as small as the steps allow.
pub(crate) fn reference() -> Tree {
    let mut volume = Volume::new("ext4", 0);
    for (path, text) in [
        ("etc/os-release", "NAME=\"Debian\"\n"),
        ("etc/shadow", "root:*:1:0:99999:7:::\n"),
        ("etc/machine-id", ""),
        ("etc/ssh/sshd_config", "# none\n"),
        ("usr/bin/ssh-keygen", "program"),
        ("usr/bin/apt-get", "program"),
        ("usr/sbin/grub-install", "program"),
        ("usr/lib/grub/i386-pc/modinfo.sh", "of a BIOS"),
        ("usr/lib/grub/x86_64-efi/modinfo.sh", "of UEFI"),
        ("usr/share/zoneinfo/Europe/Amsterdam", "zone"),
        ("usr/share/zoneinfo/Etc/UTC", "zone"),
        ("var/lib/dpkg/status", "hello 1.0\nlinux-image 6.1\n"),
    ] {
        volume.put(path, file(text));
    }
    for folder in ["tmp", "run", "boot", "boot/efi", "var/log", "var/cache/apt"] {
        volume.put(folder, crate::world::Node::Folder);
    }
    volume.tree
}

/// A machine with one empty disk and the media.
pub(crate) fn machine(firmware: Firmware, media: &MediaBuilder) -> World {
    let mut world = World::new(
        firmware,
        vec![Drive::empty("vda", SIZE, Bus::Virtio), media.drive()],
    );
    let volume = Volume::new("cifs", 1 << 30);
    world.shares.insert(
        SHARE.into(),
        Share {
            volume,
            user: "capturer".into(),
            password: CAPTURE_CANARY.into(),
        },
    );
    world
}

/// A machine with an installed Debian that no run of ours made.
pub(crate) fn installed(media: &MediaBuilder) -> World {
    let mut world = machine(Firmware::Uefi, media);
    let mut system = Volume {
        tree: reference(),
        ..Volume::new("ext4", 4 << 30)
    };
    for (path, text) in [
        ("etc/machine-id", "0123456789abcdef\n"),
        ("etc/fstab", "PARTUUID=part-root / ext4 defaults 0 1\n"),
        ("etc/ssh/ssh_host_ed25519_key", "its own key"),
        ("etc/hostname", "reference\n"),
        ("var/log/syslog", "what happened"),
        ("tmp/junk", "junk"),
        ("boot/grub/grub.cfg", "menu"),
        ("home/user/work", "kept"),
    ] {
        system.put(path, file(text));
    }
    let mut esp = Volume::new("vfat", 512 << 20);
    esp.put("EFI/BOOT/BOOTX64.EFI", file("grub of part-root"));
    let drive = Drive::empty("vda", SIZE, Bus::Virtio);
    world.drives[0] = drive.with("part-esp", esp).with("part-root", system);
    world
}

const BUILD_AND_CAPTURE: &str = include_str!("../../../templates/linux-build-and-capture.toml");
const CAPTURE_EXISTING: &str = include_str!("../../../templates/linux-capture-existing.toml");
const DEPLOY: &str = include_str!("../../../templates/linux-deploy.toml");

/// The template that builds and captures, with that destination.
pub(crate) fn build_and_capture(destination: &str) -> String {
    with_destination(BUILD_AND_CAPTURE, destination)
}

/// The template that builds and captures, to a second disk.
pub(crate) fn build_and_capture_to_disk(disk: &str) -> String {
    let variable = "destination = \"%OSDCaptureDestination%\"";
    assert!(BUILD_AND_CAPTURE.contains(variable));
    BUILD_AND_CAPTURE.replace(
        variable,
        &format!("destination = {{ disk = {disk}, path = \"ref.wim\" }}"),
    )
}

/// The template that captures an existing system, with that destination.
pub(crate) fn capture_existing(destination: &str) -> String {
    with_destination(CAPTURE_EXISTING, destination)
}

/// The template that applies and sets up only.
pub(crate) fn deploy() -> String {
    DEPLOY.to_owned()
}

fn with_destination(template: &str, destination: &str) -> String {
    let line = template
        .lines()
        .find(|line| line.starts_with("OSDCaptureDestination"))
        .expect("a destination");
    template.replace(line, &format!("OSDCaptureDestination = '{destination}'"))
}
