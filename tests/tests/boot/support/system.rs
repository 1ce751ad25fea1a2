//! What was installed.

use std::path::Path;

use super::{run, version_in};

/// The installed system of a disk, seen through debugfs and mtools.
pub struct System {
    root: String,
    boot: String,
}

impl System {
    /// The last partition is the root, the first one the boot partition.
    pub fn on(disk: &Path) -> Self {
        Self::of_volume(disk, usize::MAX)
    }

    /// That partition is the root, counted from 0; where there are not so many, the last one.
    pub fn of_volume(disk: &Path, number: usize) -> Self {
        let table = run("sfdisk", &["--dump", &disk.display().to_string()]);
        let starts: Vec<u64> = table
            .lines()
            .filter_map(|line| {
                line.split("start=")
                    .nth(1)?
                    .split(',')
                    .next()?
                    .trim()
                    .parse()
                    .ok()
            })
            .collect();
        let at = |start: &u64| start * 512;
        let (first, root) = (starts.first(), starts.get(number).or(starts.last()));
        let disk = disk.display();
        Self {
            root: format!("{disk}?offset={}", root.map(at).expect("a root partition")),
            boot: format!("{disk}@@{}", first.map(at).expect("a boot partition")),
        }
    }

    fn debugfs(&self, request: &str) -> String {
        run("debugfs", &["-R", request, &self.root])
    }

    pub fn text(&self, path: &str) -> String {
        self.debugfs(&format!("cat {path}"))
    }

    pub fn link(&self, path: &str) -> String {
        let about = self.debugfs(&format!("stat {path}"));
        about
            .split("Fast link dest: \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default()
            .to_owned()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.debugfs(&format!("stat {path}")).contains("Inode:")
    }

    pub fn package_version(&self, package: &str) -> Option<String> {
        version_in(&self.text("/var/lib/dpkg/status"), package)
    }

    /// Everything on the first partition, with its folders.
    pub fn boot_partition(&self) -> Vec<String> {
        let listed = run("mdir", &["-/", "-a", "-b", "-i", &self.boot, "::/"]);
        listed.lines().map(str::to_owned).collect()
    }

    /// What lies there of these files and folders, by their paths.
    pub fn of_boot_partition(&self, paths: &[&str]) -> Vec<String> {
        let is = |found: &str| {
            let found = found.trim_start_matches("::/").to_lowercase();
            let is_below = |path: &&str| Path::new(&found).starts_with(path.to_lowercase());
            paths.iter().any(is_below)
        };
        let mut found = self.boot_partition();
        found.retain(|path| is(path));
        found
    }
}
