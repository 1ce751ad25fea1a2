//! From what the user wants to what is really there: every source with its path, size and identity. Reads only.

mod answers;
mod boot;
mod contents;
mod digest_cache;
mod drivers;
mod facts;
mod names;
mod packages;
mod secrets;
mod sequences;
mod sources;
pub(crate) mod walk;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;

use media_format::drivers::DriverIndex;
use uuid::Uuid;

pub use boot::{BootImage, default_path};
pub use digest_cache::{DigestCache, Key};
pub use packages::{Item, ResolvedPackage};
pub use secrets::Secrets;
pub use sequences::Sequence;
pub use sources::{Source, Sources};

use crate::boot_image::{Kind, WINDOWS_RUNTIME};
use crate::problem::Problems;
use crate::project::Project;
use crate::toml_problem::TomlProblem;

/// Ids of media are derived within this name space.
const MEDIA: Uuid = Uuid::from_u128(0x8a4c_6f0e_55d1_5b0e_9a31_d0c2_7be4_1f60);

/// A project whose sources were all found.
#[derive(Debug)]
pub struct ResolvedMedia {
    /// The project.
    pub project: Project,
    /// Id of the media.
    pub media_id: Uuid,
    /// The boot image.
    pub boot: BootImage,
    /// The task sequences.
    pub sequences: Vec<Sequence>,
    /// The packages that they refer to, and those that these need.
    pub packages: Vec<ResolvedPackage>,
    /// What the INF files of the driver packages say; none without driver packages.
    pub drivers: Option<DriverIndex>,
    /// Values of secret variables.
    pub secrets: Secrets,
    /// The files behind it all.
    pub sources: Sources,
    /// The steps that write onto the media, as `FILE: step "NAME"`.
    pub writers: Vec<String>,
    /// What is possible but should be known.
    pub warnings: Vec<String>,
}

/// Finds everything that the project refers to.
///
/// # Errors
/// All problems together.
pub fn resolve(project: Project, cache: &DigestCache) -> Result<ResolvedMedia, Problems> {
    let mut problems = Problems(vec![]);
    let mut sources = Sources::default();
    check_network(&project, &mut problems);
    names::check(&project, &mut problems);
    let boot = resolve_boot(&project, &mut sources, &mut problems);
    let sequences = sequences::read(&project, &mut problems);
    check_windows(&boot, &sequences, &mut problems);
    let mut facts = facts::of_project(&project, &sequences, boot.kind);
    let packages = packages::resolve(&project, &sequences, &facts, &mut sources, &mut problems);
    facts::look_into(&packages, &mut facts);
    answers::check(&sequences, &facts, &packages, &sources, &mut problems);
    let (secrets, warnings) = secrets::resolve(&project, &mut problems);
    let of_sequences = sequences::validate(&sequences, &facts, &mut problems);
    let mut warnings: Vec<String> = warnings.into_iter().chain(of_sequences).collect();
    problems.into_result()?;
    let mut problems = Problems(vec![]);
    let (drivers, about_drivers) = drivers::index(&project, &packages, &sources, &mut problems);
    problems.into_result()?;
    warnings.extend(about_drivers);
    sources.look_up(cache);
    let writers = sequences::writers(&sequences, &facts);
    let media_id = media_id(&project, &sequences, &boot, &packages, &sources);
    Ok(ResolvedMedia {
        project,
        media_id,
        boot,
        sequences,
        packages,
        drivers,
        secrets,
        sources,
        writers,
        warnings,
    })
}

fn resolve_boot(project: &Project, sources: &mut Sources, problems: &mut Problems) -> BootImage {
    let named = project.settings.boot_image.as_ref();
    let path = named
        .map(|path| project.folder.join(path.get_ref()))
        .or_else(default_path);
    let Some(path) = path else {
        problems.push("no boot image: the project names none, and this user has no cache folder (set HOME)");
        return BootImage::default();
    };
    boot::read(&path, sources).unwrap_or_else(|error| {
        problems.push(format!("{error:#}"));
        BootImage::default()
    })
}

/// What goes on inside Windows needs a runtime for it, and in a WinPE nothing else goes on.
fn check_windows(boot: &BootImage, sequences: &[Sequence], problems: &mut Problems) {
    let other = sequences.iter().find(|sequence| !sequence.is_for_windows());
    if let Some(sequence) = other.filter(|_| boot.kind == Kind::WinPe) {
        problems.push(format!(
            "{}: the sequence is for Linux, and a WinPE only builds and captures Windows: name a Linux PE as the boot \
             image, or write `operating-system = \"windows\"`",
            sequence.file
        ));
    }
    let Some(sequence) = sequences.iter().find(|sequence| sequence.is_for_windows()) else {
        return;
    };
    // Of a boot image that could not be read, something else was said.
    if boot.files.is_empty() {
        return;
    }
    if !boot.mounts_ntfs {
        problems.push(format!(
            "{}: the sequence is for Windows, and the kernel of the boot image cannot mount NTFS: make it from Debian 13 or \
             later (`media-builder boot-image build`, without --suite)",
            sequence.file
        ));
    }
    if !boot.files.contains_key(WINDOWS_RUNTIME) {
        problems.push(format!(
            "{}: the sequence is for Windows, and the boot image has no {WINDOWS_RUNTIME}: make it again with \
             `media-builder boot-image build --windows-runtime FILE`",
            sequence.file
        ));
    }
}

fn check_network(project: &Project, problems: &mut Problems) {
    let network = &project.settings.network;
    if !is_network(network.get_ref()) {
        let message = format!("`{}` is no network", network.get_ref());
        let help = "use dhcp, none or ADDRESS/PREFIX,GATEWAY,DNS such as 10.0.2.15/24,10.0.2.2,10.0.2.3";
        problems.push_diagnostic(TomlProblem::at(
            project.place(network),
            message,
            Some(help.into()),
        ));
    }
}

fn is_network(text: &str) -> bool {
    if matches!(text, "dhcp" | "none") {
        return true;
    }
    let mut parts = text.split(',');
    let address = parts.next().and_then(|part| part.split_once('/'));
    let address = address.is_some_and(|(address, prefix)| {
        address.parse::<Ipv4Addr>().is_ok() && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= 32)
    });
    let others: Vec<_> = parts
        .map(|part| part.is_empty() || part.parse::<Ipv4Addr>().is_ok())
        .collect();
    address && others.len() <= 2 && others.into_iter().all(|valid| valid)
}

/// The same inputs give the same id; names and sizes stand for content that is only hashed later. That a run goes on with the
/// same content is a matter of the manifest's digest, which its journal has.
fn media_id(
    project: &Project,
    sequences: &[Sequence],
    boot: &BootImage,
    packages: &[ResolvedPackage],
    sources: &Sources,
) -> Uuid {
    if let Some(id) = project.settings.id {
        return id;
    }
    let mut files: BTreeMap<String, u64> = BTreeMap::new();
    files.extend(
        boot.files
            .iter()
            .map(|(name, id)| (format!("boot/{name}"), sources.get(*id).size)),
    );
    for package in packages {
        files.extend(
            package
                .files()
                .map(|(path, id)| (path.to_owned(), sources.get(id).size)),
        );
    }
    let mut text = project.text.clone();
    let _infallible = write!(text, "\n{}\n", boot.identity);
    sequences
        .iter()
        .for_each(|sequence| text.push_str(&sequence.text));
    for (path, size) in files {
        let _infallible = writeln!(text, "{size} {path}");
    }
    Uuid::new_v5(&MEDIA, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_told_from_typing_errors() {
        for good in [
            "dhcp",
            "none",
            "10.0.2.15/24,10.0.2.2,10.0.2.3",
            "10.0.2.15/24",
            "10.0.2.15/24,,10.0.2.3",
        ] {
            assert!(is_network(good), "{good}");
        }
        for bad in [
            "",
            "DHCP6",
            "10.0.2.15",
            "10.0.2.15/33",
            "10.0.2.256/24",
            "1.2.3.4/8,x",
            "1.2.3.4/8,,,",
        ] {
            assert!(!is_network(bad), "{bad}");
        }
    }
}
