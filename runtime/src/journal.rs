//! The run's journal: in memory until the target has a boot partition, then in its two slots.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use media_format::{journal as slots, paths};
use serde::{Deserialize, Serialize};
use task_sequence::Variables;

use crate::connections::MadeFolder;
use crate::engine::Progress;
use crate::media::Media;
use crate::platform::{Disk, Files, Result};

const FORMAT: u32 = 1;
/// Room for what the engine itself adds to the journal between two steps.
const RESERVE: usize = 8 * 1024;

/// Everything that survives a restart. Secrets do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Saved {
    format: u32,
    /// The media whose run this is.
    pub media_id: String,
    /// Id of the task sequence.
    pub sequence: String,
    /// SHA-256 of the task sequence: a changed one cannot resume.
    pub sequence_digest: String,
    /// SHA-256 of the media's manifest, which has the digests of everything else; empty in a journal of an older release.
    #[serde(default)]
    pub manifest_digest: String,
    /// How far the run is.
    pub progress: Progress,
    /// How many seconds it took until the journal was written, without the restarts between.
    #[serde(default)]
    pub elapsed: u64,
    /// How often it has failed and was kept.
    #[serde(default)]
    pub failures: u32,
    /// The variables that are not secret.
    pub variables: BTreeMap<String, String>,
    /// Names of the secret ones.
    pub secrets: BTreeSet<String>,
    /// Where steps gave values to secret ones: those are read from the sequence again after a restart.
    #[serde(default)]
    pub given_secrets: Vec<GivenSecret>,
    /// The disk that the run works on.
    pub target: Option<Target>,
    /// The volumes on other disks that captures go to.
    #[serde(default)]
    pub destinations: Vec<KnownVolume>,
    /// Folders that were made for shares, as long as they are there.
    #[serde(default)]
    pub made_folders: Vec<MadeFolder>,
    /// Where the captured image is, once it is complete.
    pub captured: Option<String>,
    /// Serial console of the machine, for the part of the run inside the installed system.
    pub serial_console: Option<String>,
}

/// A secret variable that a `set-variables` step has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GivenSecret {
    /// Index of the step.
    pub step: usize,
    /// Which of its variables, those of its rules included.
    pub ordinal: usize,
}

impl Saved {
    /// Keeps what a destination means, unless it is known already; gives whether it was new.
    pub fn know(&mut self, found: KnownVolume) -> bool {
        let is_new = self.destinations.iter().all(|known| known.rule != found.rule);
        if is_new {
            self.destinations.push(found);
        }
        is_new
    }
}

/// The disk that the run works on; its partitions are named by what stays the same over restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Target {
    /// Identity of the disk ([`crate::target::identity`]).
    pub disk: String,
    /// The partition that carries the journal and the boot state: the ESP, or our own on BIOS layouts.
    pub state: String,
    /// The EFI system partition, on UEFI.
    pub efi: Option<String>,
    /// The volume of the operating system.
    pub system: String,
    /// Whether the run made the partitions (else the installed system was there before).
    pub ours: bool,
    /// The formatted volumes in the order of the layout.
    pub volumes: Vec<Volume>,
    /// The system was generalized and can be captured.
    pub prepared: bool,
    /// What was applied, when it is a Windows.
    #[serde(default)]
    pub windows: Option<WindowsSystem>,
    /// The volumes of a Windows were found clean, and from then on the run itself writes to them.
    #[serde(default)]
    pub opened: bool,
}

impl Target {
    /// Whether the run has its journal on this machine: it has built it, or began inside it. One that only captures what it has found
    /// changes nothing there.
    pub fn has_begun_here(&self) -> bool {
        !self.state.is_empty()
    }

    /// Whether that is the disk.
    pub fn is_on(&self, disk: &Disk) -> bool {
        let is_ours = |id: &str| !id.is_empty() && (id == self.state || id == self.system);
        disk.partitions.iter().any(|partition| is_ours(&partition.id))
    }
}

/// The Windows that was applied, as its image says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WindowsSystem {
    /// The image's number for its processor.
    pub architecture: u32,
    /// Its major and minor version.
    pub version: (u32, u32),
    /// Its build.
    pub build: u32,
    /// `Windows 11`, for the menu of the boot manager.
    pub name: String,
    /// The language of the boot manager.
    pub language: String,
    /// A server.
    pub server: bool,
    /// The run keeps it from encrypting its volume, until it is captured.
    #[serde(default)]
    pub encryption_prevented: bool,
}

/// A volume that the run made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Volume {
    /// The partition.
    pub id: String,
    /// Where it belongs in an installed Linux.
    pub mount_point: String,
    /// Its file system.
    pub file_system: String,
    /// Whether an image was applied to it.
    pub applied: bool,
}

/// What the rule of a destination meant when it was first looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KnownVolume {
    /// The rule, in words.
    pub rule: String,
    /// Identity of the disk ([`crate::target::identity`]).
    pub disk: String,
    /// The partition.
    pub id: String,
    /// Both, for people.
    pub shown: String,
}

/// The journal of this run.
#[derive(Debug)]
pub struct Journal {
    /// What is kept.
    pub saved: Saved,
    sequence: u64,
    file: Option<PathBuf>,
}

impl Journal {
    /// The journal of a new run, in memory.
    pub fn begin(media: &Media, sequence: &str, sequence_digest: &str) -> Self {
        let saved = Saved {
            format: FORMAT,
            media_id: media.manifest.media_id.clone(),
            sequence: sequence.into(),
            sequence_digest: sequence_digest.into(),
            manifest_digest: media.manifest_digest.clone(),
            progress: Progress::default(),
            elapsed: 0,
            failures: 0,
            variables: BTreeMap::new(),
            secrets: BTreeSet::new(),
            given_secrets: Vec::new(),
            target: None,
            destinations: Vec::new(),
            made_folders: Vec::new(),
            captured: None,
            serial_console: None,
        };
        Self {
            saved,
            sequence: 0,
            file: None,
        }
    }

    /// The newest valid content of a journal file, if it has one.
    ///
    /// # Errors
    /// When a slot is intact and cannot be understood: another release wrote it.
    pub fn read(bytes: &[u8]) -> Result<Option<(Saved, u64)>> {
        let Some(slot) = slots::newest(bytes) else {
            return Ok(None);
        };
        let saved: Saved = serde_json::from_slice(&slot.payload).context(
            "reading the journal on the target's boot partition, which another release may have written",
        )?;
        if saved.format != FORMAT {
            bail!(
                "the journal on the target's boot partition has format {}; this runtime reads {FORMAT}",
                saved.format
            );
        }
        Ok(Some((saved, slot.sequence)))
    }

    /// Goes on with what was read from the journal file below `boot`.
    pub fn resume(saved: Saved, sequence: u64, boot: &Path) -> Self {
        Self {
            saved,
            sequence,
            file: Some(boot.join(paths::JOURNAL)),
        }
    }

    /// From now on the journal lies on this boot partition. The file is made with its full length once, so that
    /// later writes change no directory entry and no allocation.
    ///
    /// # Errors
    /// When the partition cannot be written.
    pub fn attach(&mut self, files: &dyn Files, boot: &Path) -> Result<()> {
        let file = boot.join(paths::JOURNAL);
        files.write(&file, &vec![0; slots::FILE_LENGTH], 0o600)?;
        self.file = Some(file);
        self.write(files)
    }

    /// The folder on the boot partition that the journal lies in, once it does.
    pub fn folder(&self) -> Option<&Path> {
        self.file.as_deref().and_then(Path::parent)
    }

    /// Whether the journal survives a restart.
    pub fn is_attached(&self) -> bool {
        self.file.is_some()
    }

    /// From now on in memory only.
    pub fn detach(&mut self) {
        self.file = None;
    }

    /// Keeps the variables that are not secret.
    pub fn keep_variables(&mut self, variables: &Variables) {
        self.saved.variables = plain(variables);
        self.saved
            .secrets
            .extend(variables.iter().filter(|v| v.2).map(|v| v.0.to_owned()));
    }

    /// Notes that the running step has set a secret variable.
    pub fn remember_secret(&mut self, ordinal: usize) {
        let step = self.saved.progress.position;
        let given = GivenSecret { step, ordinal };
        self.saved.given_secrets.retain(|known| *known != given);
        self.saved.given_secrets.push(given);
    }

    /// Whether the journal has room for these variables beside the rest of it; when not, names the longest one.
    ///
    /// # Errors
    /// When it has not.
    pub fn fits(&self, variables: &Variables) -> Result<()> {
        let mut saved = self.saved.clone();
        saved.variables = plain(variables);
        // The end of the step that is running comes on top.
        let needed = serde_json::to_vec(&saved)?.len() + RESERVE;
        if needed <= slots::MOST_PAYLOAD {
            return Ok(());
        }
        let longest = saved.variables.iter().max_by_key(|(_, value)| value.len());
        let (name, length) = longest.map_or(("", 0), |(name, value)| (name.as_str(), value.len()));
        bail!(
            "the run's variables are too long for its journal: {needed} bytes of {}; the longest is {name} with \
             {length} bytes. Keep long texts in a file, and its path in the variable",
            slots::MOST_PAYLOAD
        )
    }

    /// Writes the journal to its older slot and flushes it; in memory nothing happens.
    ///
    /// # Errors
    /// When it does not fit or cannot be written.
    pub fn write(&mut self, files: &dyn Files) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let payload = serde_json::to_vec(&self.saved)?;
        let slot = slots::encode(self.sequence + 1, &payload)?;
        files
            .write_at(file, slots::offset(self.sequence + 1), &slot)
            .context("writing the journal on the target's boot partition")?;
        self.sequence += 1;
        Ok(())
    }
}

fn plain(variables: &Variables) -> BTreeMap<String, String> {
    let plain = variables.iter().filter(|(_, _, secret)| !secret);
    plain
        .map(|(name, value, _)| (name.to_owned(), value.to_owned()))
        .collect()
}
