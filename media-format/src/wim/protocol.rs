//! The protocol between a program and `wim-worker`.
//!
//! The worker reads one [`Request`] as JSON from its standard input, writes one [`Message`] per line to
//! its standard output, and ends: the last line is [`Message::Done`] (exit status 0) or
//! [`Message::Failed`] (exit status 1). When neither was written the worker was killed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::info::WimInfo;

/// What the worker is asked to do, and with how much memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Cap on the worker's address space in bytes. A crafted header can otherwise make it take gigabytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<u64>,
    /// The one thing to do.
    pub operation: Operation,
}

/// The one thing that a worker does in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Extracts one image.
    Apply(Apply),
    /// Writes a new WIM with one image per source.
    Capture(Capture),
    /// Reads every stream and compares it with its SHA-1.
    Verify(Verify),
    /// Reads header and XML metadata.
    Info(Info),
    /// Looks whether an image has certain files.
    Find(Find),
    /// Copies certain files of an image.
    Extract(Extract),
    /// Makes a WIM that a boot manager starts: one image of another WIM, with more files in it.
    Inject(Inject),
    /// Splits a WIM into parts.
    Split(Split),
}

/// Extracts one image to a folder or straight onto an NTFS volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// The WIM, or the first part of a split WIM.
    pub wim: PathBuf,
    /// The other parts of a split WIM.
    #[serde(default)]
    pub parts: Vec<PathBuf>,
    /// Which image, counted from 1.
    pub index: u32,
    /// Where it goes.
    pub target: Volume,
    /// Folders of other volumes that are mounted inside the target: they are flushed too.
    #[serde(default)]
    pub inside: Vec<PathBuf>,
    /// Restores owner, mode, links, devices and extended attributes; only onto a folder.
    #[serde(default)]
    pub unix_data: bool,
}

/// A place that holds one volume's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Volume {
    /// A folder, usually the mount point of the volume.
    Folder(PathBuf),
    /// A block device or a file with an unmounted NTFS volume.
    NtfsVolume(PathBuf),
}

/// Writes one WIM with all images; equal data is stored once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Written exactly there, replacing what is there; removed again when the capture fails. The caller
    /// gives the name of a partial file and renames it afterwards.
    pub wim: PathBuf,
    /// How the data is compressed.
    pub compression: Compression,
    /// Number of compressing threads; one per processor when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// The images, in this order.
    pub images: Vec<CaptureImage>,
    /// What happens when a file name or a link's target is not UTF-8 and cannot be stored.
    #[serde(default)]
    pub on_bad_name: OnBadName,
    /// Reads the written WIM back, compares every stream with its SHA-1, and takes the file's SHA-256.
    #[serde(default = "yes")]
    pub verify: bool,
}

fn yes() -> bool {
    true
}

/// Compression of a WIM; always with the default chunk size, as others are unreadable for Microsoft's tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Stored as it is.
    None,
    /// Quick: about half the size.
    Xpress,
    /// What Microsoft calls maximum: five times slower than XPRESS and a few percent smaller.
    Lzx,
    /// Solid LZMS (an ESD): smallest, very slow, and takes over 1 GB of memory.
    Lzms,
}

/// What happens when a file's name, or a symbolic link's target, is not UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadName {
    /// Names every such file and fails before anything is written. The default: an image that silently
    /// lacks files is found out only after it was deployed.
    #[default]
    Refuse,
    /// Names each in a warning and leaves it out.
    Skip,
}

/// One image of a capture. All strings must be free of control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureImage {
    /// What is captured.
    pub source: Volume,
    /// `NAME` of the image; must be unique in the WIM.
    pub name: String,
    /// `DESCRIPTION` of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `DISPLAYNAME`, which Windows' set-up shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// `DISPLAYDESCRIPTION`, which Windows' set-up shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_description: Option<String>,
    /// `FLAGS`, for Windows the edition, such as `Professional`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// Who made the image; stored as `CREATOR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// The image's own version; stored as `VERSION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where the volume belongs in an installed Linux, such as `/home`; stored as `MOUNTPOINT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_point: Option<String>,
    /// Patterns of what is left out, as in the `[ExclusionList]` of a capture configuration: `/tmp/*` is
    /// anchored at the volume's root, `*.bak` fits a file name anywhere. A folder goes with all it holds.
    /// Upper and lower case are equal when any source is an NTFS volume.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Patterns of what is kept although `exclude` fits it.
    #[serde(default)]
    pub exclude_exceptions: Vec<String>,
    /// Stores owner, mode, links, devices and extended attributes; only from a folder.
    #[serde(default)]
    pub unix_data: bool,
    /// Leaves out what other file systems mounted inside the folder hold (their mount points are kept).
    #[serde(default)]
    pub one_file_system: bool,
}

impl CaptureImage {
    /// All of a source, and nothing said of it but its name.
    pub fn new(source: Volume, name: impl Into<String>) -> Self {
        Self {
            source,
            name: name.into(),
            description: None,
            display_name: None,
            display_description: None,
            flags: None,
            creator: None,
            version: None,
            mount_point: None,
            exclude: vec![],
            exclude_exceptions: vec![],
            unix_data: false,
            one_file_system: false,
        }
    }

    /// What the image says of itself beside its name: elements of the WIM's XML metadata, and their values.
    pub fn properties(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("DESCRIPTION", &self.description),
            ("DISPLAYNAME", &self.display_name),
            ("DISPLAYDESCRIPTION", &self.display_description),
            ("FLAGS", &self.flags),
            ("CREATOR", &self.creator),
            ("VERSION", &self.version),
            ("MOUNTPOINT", &self.mount_point),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// Reads every stream of a WIM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The WIM, or the first part of a split WIM.
    pub wim: PathBuf,
    /// The other parts of a split WIM.
    #[serde(default)]
    pub parts: Vec<PathBuf>,
}

/// Reads header and XML metadata of a WIM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// The WIM, or any part of a split WIM.
    pub wim: PathBuf,
}

/// Looks whether an image has certain files; none of their data is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The WIM, or the first part of a split WIM.
    pub wim: PathBuf,
    /// Which image, counted from 1.
    pub index: u32,
    /// The paths, from the root of the image and with slashes; upper and lower case are equal.
    pub paths: Vec<PathBuf>,
}

/// Copies files and folders of an image into one folder, without those that lead to them, security and attributes. Those that the image does not
/// have are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// The WIM, or the first part of a split WIM.
    pub wim: PathBuf,
    /// The other parts of a split WIM.
    #[serde(default)]
    pub parts: Vec<PathBuf>,
    /// Which image, counted from 1.
    pub index: u32,
    /// The paths, from the root of the image and with slashes; upper and lower case are equal. Their last parts differ.
    pub paths: Vec<PathBuf>,
    /// Where they go: a folder, which is made. They are spelled as the image spells them.
    pub folder: PathBuf,
}

/// Writes a WIM with one image of another, to which the files of a folder are added. The image is the WIM's bootable
/// one, and the WIM has a compression that Windows' boot manager reads. The same inputs give the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inject {
    /// The WIM that the image is taken from; it is not changed.
    pub wim: PathBuf,
    /// Which image, counted from 1.
    pub index: u32,
    /// What it holds is added beneath the root of the image; files of the same path are replaced. Upper and lower case
    /// are equal.
    pub add: PathBuf,
    /// Written exactly there; removed again when the work fails.
    pub into: PathBuf,
    /// The GUID of the new WIM.
    pub guid: Uuid,
    /// The time of the image's last change, in seconds since 1970.
    pub time: u32,
}

/// Splits a WIM; nothing is compressed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The WIM; it is not changed.
    pub wim: PathBuf,
    /// The first part, `NAME.swm`; the others are `NAME2.swm` and so on.
    pub first: PathBuf,
    /// The most bytes that a part may have. One with a file that is larger than that gets larger.
    pub part_bytes: u64,
}

/// One line of the worker's standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum Message {
    /// How far the work is; about five per second at most.
    Progress {
        /// What is going on.
        phase: Phase,
        /// How much of it is done.
        done: u64,
        /// How much there is; 0 while that is not known. It can shrink when equal data is found.
        total: u64,
    },
    /// Something that did not stop the work and that a person must hear about.
    Warning {
        /// The file that it is about, where known. Bytes that are not UTF-8 are written as `\xNN`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// What is wrong.
        text: String,
    },
    /// The work is complete and its data is flushed.
    Done {
        /// What was done.
        summary: Summary,
    },
    /// The work failed.
    Failed {
        /// The error code of libwim; 0 when the error is not from libwim.
        code: i32,
        /// What was being done, to what, and why it failed.
        error: String,
        /// What the user can do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}

/// The phases of the operations, in the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Capture: walks the sources. In bytes; the total is not known.
    Scan,
    /// Capture: compresses and writes. In bytes before compression.
    Write,
    /// Apply: creates folders and empty files. In files.
    Structure,
    /// Apply: extracts the data. In bytes.
    Extract,
    /// Apply: sets attributes and times. In files.
    Metadata,
    /// Waits until the data is on the disk. In bytes.
    Flush,
    /// Reads back and compares digests. In bytes before compression.
    Verify,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Files that were captured, or that the applied image has.
    pub files: u64,
    /// Folders that were captured, or that the applied image has.
    pub directories: u64,
    /// Bytes of file data before compression.
    pub bytes: u64,
    /// Size of the WIM file.
    pub wim_bytes: u64,
    /// SHA-256 of the WIM file in hexadecimal; after a capture with `verify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How many warnings there were; after the first 200 they are only counted.
    pub warnings: u64,
    /// The paths of [`Operation::Find`] or [`Operation::Extract`] that the image has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<PathBuf>,
    /// The answer to [`Operation::Info`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<WimInfo>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_documented() {
        let json = r#"{"operation":{"capture":{"wim":"a.wim","compression":"lzx",
            "images":[{"source":{"ntfs-volume":"/dev/sda2"},"name":"Windows"}]}}}"#;
        let request: Request = serde_json::from_str(json).unwrap();
        let Operation::Capture(capture) = &request.operation else {
            panic!("not a capture")
        };
        assert!(capture.verify);
        assert_eq!(capture.on_bad_name, OnBadName::Refuse);
        let again: Request = serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap();
        assert_eq!(request, again);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let json = r#"{"operation":{"verify":{"wim":"a.wim","indx":1}}}"#;
        assert!(serde_json::from_str::<Request>(json).is_err());
    }
}
