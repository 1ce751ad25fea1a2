//! What was captured.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{assert_without, digest, run, version_in, xml_of};

/// What GRUB's installer writes for one machine's volumes.
const NAMES_ITS_VOLUME: [&str; 4] = [
    "/boot/grub/grub.cfg",
    "/boot/grub/x86_64-efi/core.efi",
    "/boot/grub/x86_64-efi/grub.efi",
    "/boot/grub/x86_64-efi/load.cfg",
];

/// An image of a captured WIM, seen through wimlib-imagex.
pub struct Image {
    path: String,
    index: String,
    paths: BTreeSet<String>,
}

impl Image {
    /// The first image of the file: the system's root.
    pub fn at(path: &Path) -> Self {
        Self::numbered(path, "1")
    }

    /// The image of the volume that was mounted there.
    pub fn of_volume(path: &Path, mount_point: &str) -> Self {
        let xml = xml_of(path);
        let wanted = format!("<MOUNTPOINT>{mount_point}</MOUNTPOINT>");
        let index = xml
            .split("<IMAGE INDEX=\"")
            .find(|image| image.contains(&wanted))
            .and_then(|image| image.split('"').next());
        Self::numbered(path, index.unwrap_or_else(|| panic!("no {wanted} in {xml}")))
    }

    fn numbered(path: &Path, index: &str) -> Self {
        let path = path.display().to_string();
        let listed = run("wimlib-imagex", &["dir", &path, index]);
        Self {
            path,
            index: index.to_owned(),
            paths: listed.lines().map(str::to_owned).collect(),
        }
    }

    /// The image is intact, its digest is the one beside it, and it says what it is.
    pub fn verify(&self) {
        run("wimlib-imagex", &["verify", &self.path]);
        let beside =
            fs::read_to_string(format!("{}.sha256", self.path)).expect("the digest beside the image");
        assert!(
            beside.starts_with(&digest(Path::new(&self.path))),
            "the digest beside the image is another"
        );
        let about = run("wimlib-imagex", &["info", &self.path, &self.index]);
        assert!(about.contains("aptured by media-builder"), "{about}");
    }

    pub fn contains(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    pub fn matches(&self, beginning: &str) -> bool {
        self.paths
            .range(beginning.to_owned()..)
            .next()
            .is_some_and(|path| path.starts_with(beginning))
    }

    pub fn text(&self, path: &str) -> String {
        run(
            "wimlib-imagex",
            &["extract", &self.path, &self.index, path, "--to-stdout"],
        )
    }

    /// No file of the image has the secret in it.
    pub fn assert_without(&self, secret: &str) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let into = format!("--dest-dir={}", folder.path().display());
        run(
            "wimlib-imagex",
            &["extract", &self.path, &self.index, "/", &into, "--no-acls"],
        );
        assert!(folder.path().join("etc").exists(), "nothing was extracted");
        assert_without(folder.path(), secret);
    }

    pub fn has_applications_and_update(&self) {
        self.lists_applications_and_update("/var/lib/dpkg/status");
    }

    /// The list of what is installed, of which the applications and the update are part.
    pub fn lists_applications_and_update(&self, path: &str) {
        let status = self.text(path);
        for (package, version) in [
            ("demo-library", "1.0"),
            ("demo-editor", "1.0"),
            ("demo-base", "1.1"),
        ] {
            assert_eq!(
                version_in(&status, package).as_deref(),
                Some(version),
                "{package}"
            );
        }
    }

    /// Asserts that both have the same files: content, kind, owner, mode and links. GRUB's files name the volume that
    /// they start from, and each machine's has a UUID of its own.
    pub fn assert_same_files(&self, other: &Self) {
        let (mine, others) = (self.files(), other.files());
        let all: BTreeSet<&String> = mine.keys().chain(others.keys()).collect();
        let differ: Vec<_> = all
            .into_iter()
            .filter(|path| mine.get(*path) != others.get(*path))
            .filter(|path| !NAMES_ITS_VOLUME.contains(&path.as_str()))
            // Debian's daily timer puts lists of packages there, when a run goes over midnight.
            .filter(|path| !path.starts_with("/var/backups/"))
            .collect();
        assert!(differ.is_empty(), "these differ: {differ:#?}");
        assert!(mine.len() > 5000, "only {} files were compared", mine.len());
    }

    /// Each path with all that `wimlib-imagex` says about it, without times and places in the WIM.
    fn files(&self) -> BTreeMap<String, String> {
        let about = run("wimlib-imagex", &["dir", "--detailed", &self.path, &self.index]);
        let kept = [
            "Attributes",
            "UNIX Data",
            "Link Count",
            "Reparse Tag",
            "Hash",
            "Uncompressed size",
        ];
        let mut files = BTreeMap::new();
        let mut path = String::new();
        for (key, value) in about.lines().filter_map(|line| line.split_once('=')) {
            let (key, value) = (key.trim(), value.trim());
            if key == "Full Path" {
                path = value.trim_matches('"').to_owned();
            }
            if kept.contains(&key) {
                let line = format!("{key}={value};");
                files
                    .entry(path.clone())
                    .or_insert_with(String::new)
                    .push_str(&line);
            }
        }
        files
    }
}
