//! `media-builder inspect`: what is on finished media.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use disk_image::read::{Format, Image, Place};
use media_format::Manifest;
use media_format::drivers::{DriverIndex, DriverInf};
use media_format::manifest::{Finish, Package};
use serde::Serialize;

use crate::media;

/// What was found on media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inspection {
    /// Bytes of the image or device.
    pub size: u64,
    /// What firmware can start from it.
    pub boot: Vec<String>,
    /// Its partitions.
    pub partitions: Vec<PartitionSummary>,
    /// Its volumes.
    pub volumes: Vec<String>,
    /// Its driver packages, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drivers: Option<DriverSummary>,
    /// The manifest as it lies on the media.
    pub manifest: Manifest,
}

/// How many INF files the driver packages have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriverSummary {
    /// Those that can be used.
    pub infs: usize,
    /// Those of them that have no valid signature.
    pub unsigned: usize,
    /// Those of them that the system may not start without.
    pub boot_critical: usize,
    /// Those with errors, which are left out.
    pub refused: usize,
}

impl From<&DriverIndex> for DriverSummary {
    fn from(index: &DriverIndex) -> Self {
        let count = |is: fn(&&DriverInf) -> bool| index.infs.iter().filter(is).count();
        Self {
            infs: index.infs.len(),
            unsigned: count(|inf| !inf.signature.is_signed()),
            boot_critical: count(|inf| inf.boot_critical),
            refused: index.refused.len(),
        }
    }
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PartitionSummary {
    /// Its name.
    pub name: String,
    /// Bytes from the start of the media.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// Reads what is on media, without reading its packages.
///
/// # Errors
/// When it cannot be read or is no media of ours.
pub fn inspect(path: &Path) -> Result<Inspection> {
    let image = media::open(path)?;
    let manifest = media::manifest(&image)?;
    let summary = |partition: &Place| PartitionSummary {
        name: partition.name.clone(),
        offset: partition.offset,
        size: partition.length,
    };
    Ok(Inspection {
        size: image.device().length(),
        boot: boot_chain(&image, &manifest),
        partitions: image.partitions().iter().map(summary).collect(),
        volumes: image.volumes().map(|volume| volume.label().to_owned()).collect(),
        drivers: media::drivers(&image, &manifest)?
            .as_ref()
            .map(DriverSummary::from),
        manifest,
    })
}

fn boot_chain(image: &Image, manifest: &Manifest) -> Vec<String> {
    let mut chain = Vec::new();
    for entry in image.iso().map(|iso| iso.boot_entries()).unwrap_or_default() {
        let platform = match entry.platform {
            0 => "BIOS".to_owned(),
            0xef => "UEFI".to_owned(),
            other => format!("platform {other:#04x}"),
        };
        chain.push(format!("{platform}: boot image at byte {}", entry.offset));
    }
    let is_loader = |path: &str| {
        path.to_ascii_lowercase().starts_with("efi/boot/") && path.to_ascii_lowercase().ends_with(".efi")
    };
    let files = manifest.files.iter().filter(|file| is_loader(&file.path));
    chain.extend(files.map(|file| format!("UEFI: {} (SHA-256 {})", file.path, file.sha256)));
    if image.format() == Format::Disk && image.device().bytes(0, 2).is_ok_and(|code| code != [0, 0]) {
        chain.push("BIOS: boot code in sector 0".to_owned());
    }
    chain
}

impl Inspection {
    /// Lines for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_head(&mut text);
        let _ = self.write_content(&mut text);
        text
    }

    fn write_head(&self, text: &mut String) -> std::fmt::Result {
        let manifest = &self.manifest;
        writeln!(text, "{} ({:?})", manifest.name, manifest.layout)?;
        writeln!(text, "  id            {}", manifest.media_id)?;
        if !manifest.organization.is_empty() {
            writeln!(text, "  organization  {}", manifest.organization)?;
        }
        writeln!(text, "  size          {}", bytes(self.size))?;
        writeln!(text, "  made by       media-builder {}", manifest.builder)?;
        writeln!(text, "  boot image    {}", manifest.boot_image)?;
        writeln!(text, "  volumes       {}", self.volumes.join(", "))?;
        let list = |text: &mut String, title: &str, lines: Vec<String>| {
            if lines.is_empty() {
                Ok(())
            } else {
                writeln!(text, "{title}\n  {}", lines.join("\n  "))
            }
        };
        let partition = |part: &PartitionSummary| {
            format!("{}: {} from byte {}", part.name, bytes(part.size), part.offset)
        };
        list(
            text,
            "partitions",
            self.partitions.iter().map(partition).collect(),
        )?;
        list(text, "boot chain", self.boot.clone())?;
        list(text, "options", self.options())
    }

    fn options(&self) -> Vec<String> {
        let options = &self.manifest.options;
        let finish = match options.finish {
            Finish::Shutdown => "switches itself off",
            Finish::Restart => "restarts",
            Finish::Wait => "waits",
        };
        let start = if options.unattended {
            "starts without a question"
        } else {
            "asks before it starts"
        };
        let shell = if options.shell { "allowed" } else { "not allowed" };
        let mut lines = vec![format!(
            "{start}; in the end the machine {finish}; a shell is {shell}"
        )];
        if !options.network.is_empty() {
            lines.push(format!("network: {}", options.network));
        }
        lines.extend(
            options
                .variables
                .iter()
                .map(|(name, value)| match options.secrets.contains(name) {
                    true => format!("{name} is secret"),
                    false => format!("{name} = {value}"),
                }),
        );
        lines.extend(
            options
                .ask
                .iter()
                .map(|name| format!("{name} is asked for at the machine")),
        );
        lines
    }

    fn write_content(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "task sequences")?;
        for sequence in &self.manifest.sequences {
            let digest = self.manifest.files.iter().find(|file| file.path == sequence.path);
            let digest = digest
                .map(|file| file.sha256.as_str())
                .unwrap_or("not on the media");
            let hidden = if sequence.hidden { ", not in the menu" } else { "" };
            writeln!(
                text,
                "  {}: {} (SHA-256 {digest}){hidden}",
                sequence.id, sequence.name
            )?;
        }
        writeln!(text, "packages")?;
        for package in &self.manifest.packages {
            writeln!(text, "  {}", self.package(package))?;
        }
        if let Some(drivers) = &self.drivers {
            writeln!(
                text,
                "drivers: {} INF files, {} unsigned, {} boot-critical; {} with errors are left out",
                drivers.infs, drivers.unsigned, drivers.boot_critical, drivers.refused
            )?;
        }
        let total = self.manifest.files.iter().map(|file| file.size).sum();
        writeln!(text, "{} files, {}", self.manifest.files.len(), bytes(total))
    }

    fn package(&self, package: &Package) -> String {
        let files: Vec<_> = self.manifest.files_of(package).collect();
        let size = bytes(files.iter().map(|file| file.size).sum());
        let version = if package.version.is_empty() {
            String::new()
        } else {
            format!(" {}", package.version)
        };
        let digest = match files.as_slice() {
            [file] => format!(", SHA-256 {}", file.sha256),
            _ => String::new(),
        };
        format!(
            "{}: {}{version} ({:?}, {} files, {size}{digest})",
            package.id,
            package.name,
            package.kind,
            files.len()
        )
    }
}

/// A size as people read it, and exactly.
fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", count as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", count as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", count as f64 / 1_073_741_824.0),
    }
}
