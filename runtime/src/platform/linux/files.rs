//! Files, flushed when an operation returns.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Linux;
use super::beneath::Held;
use super::ntfs_security;
use crate::platform::overwritten::{Going, is_private};
use crate::platform::{Files, Result, digest};

impl Files for Linux {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let read = || {
            let found = self.target_of(path)?;
            only_files(&found)?;
            fs::read(found.path())
        };
        match read() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        let write = || {
            let entry = self.entry_of(path, true)?;
            let replaced = Some(entry.path())
                .filter(|_| is_private(mode))
                .and_then(Going::at);
            replace(entry.path(), mode, |file| file.write_all(bytes))?;
            flush_folder_of(entry.path());
            replaced.map_or(Ok(()), Going::write_over)
        };
        write().with_context(|| format!("writing {}", path.display()))
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        let write = || {
            let found = self.target_of(path)?;
            only_files(&found)?;
            let file = OpenOptions::new().write(true).open(found.path())?;
            file.write_all_at(bytes, offset)?;
            file.sync_all()
        };
        write().with_context(|| format!("writing {} bytes into {}", bytes.len(), path.display()))
    }

    fn link(&self, path: &Path, to: &str) -> Result<()> {
        let link = || {
            let entry = self.entry_of(path, true)?;
            remove(entry.path())?;
            symlink(to, entry.path())
        };
        link().with_context(|| format!("linking {} to {to}", path.display()))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let removed = self.entry_of(path, false).and_then(|entry| {
            remove(entry.path())?;
            flush_folder_of(entry.path());
            Ok(())
        });
        match removed {
            Err(error) if !is_absent(&error) => {
                Err(error).with_context(|| format!("removing {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    fn wipe(&self, path: &Path) -> Result<()> {
        let write_over = |path: &Path| match self.entry_of(path, false) {
            Ok(entry) => Going::at(entry.path()).map_or(Ok(()), Going::write_over),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(error),
        };
        // A cut may have left the other one.
        for path in [path, &new_beside(path)] {
            write_over(path).with_context(|| format!("writing over {}", path.display()))?;
            self.remove(path)?;
        }
        Ok(())
    }

    /// Not by looking first: what comes into the folder in between would go with it.
    fn remove_empty(&self, folder: &Path) -> Result<()> {
        let removed = self.entry_of(folder, false).and_then(|entry| {
            fs::remove_dir(entry.path())?;
            flush_folder_of(entry.path());
            Ok(())
        });
        match removed {
            Err(error) if !is_absent(&error) && error.kind() != ErrorKind::DirectoryNotEmpty => {
                Err(error).with_context(|| format!("removing the folder {}", folder.display()))
            }
            _ => Ok(()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let rename = || {
            let (old, new) = (self.entry_of(from, false)?, self.entry_of(to, false)?);
            only_files(&self.target_of(from)?)?;
            File::open(old.path())?.sync_all()?;
            fs::rename(old.path(), new.path())?;
            flush_folder_of(new.path());
            Ok::<(), std::io::Error>(())
        };
        rename().with_context(|| format!("renaming {} to {}", from.display(), to.display()))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let copy = || {
            let (source, entry) = (self.target_of(from)?, self.entry_of(to, true)?);
            only_files(&source)?;
            let mut source = File::open(source.path())?;
            // On a CD nothing can be written; Windows would take that over as the attribute of a file that nobody may replace.
            let mode = source.metadata()?.permissions().mode() & 0o7777 | 0o200;
            replace(entry.path(), mode, |file| {
                std::io::copy(&mut source, file).map(drop)
            })
        };
        copy().with_context(|| format!("copying {} to {}", from.display(), to.display()))
    }

    fn exists(&self, path: &Path) -> bool {
        self.look_at(path).is_some()
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let list = || {
            let entries = fs::read_dir(self.target_of(path)?.path())?;
            let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            names.collect::<std::io::Result<Vec<String>>>()
        };
        let mut names = match list() {
            Err(error) if is_absent(&error) => vec![],
            names => names.with_context(|| format!("listing {}", path.display()))?,
        };
        names.sort();
        Ok(names)
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.look_at(path).is_some_and(|found| found.is_dir())
    }

    fn is_link(&self, path: &Path) -> bool {
        self.look_at(path).is_some_and(|found| found.is_symlink())
    }

    fn modified(&self, path: &Path) -> Option<std::time::SystemTime> {
        let found = self.target_of(path).ok()?;
        fs::metadata(found.path()).ok()?.modified().ok()
    }

    fn digest(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<([u8; 32], u64)> {
        let open = || {
            let found = self.target_of(path)?;
            only_files(&found)?;
            File::open(found.path())
        };
        let file = open().with_context(|| format!("opening {}", path.display()))?;
        digest::sha256(file, path, progress)
    }
}

impl Linux {
    fn look_at(&self, path: &Path) -> Option<fs::Metadata> {
        let entry = self.entry_of(path, false).ok()?;
        fs::symlink_metadata(entry.path()).ok()
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// On a volume that anybody may have made: opening a pipe would wait for ever, and a device is not the volume's.
fn only_files(found: &Held) -> std::io::Result<()> {
    if found.is_on_volume() && !fs::metadata(found.path())?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    Ok(())
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn new_beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Beside the old file and renamed, so that a cut leaves either of the two. What lies at the place of the new file is
/// removed, never followed: an applied image may hold a link or a device there. The old file's owner stays.
fn replace(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let new = new_beside(path);
    // What a cut has left of one may hold secrets, too.
    Going::at(&new).map_or(Ok(()), Going::write_over)?;
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)?;
    fill(&mut file)?;
    // A volume without owners and modes refuses some; the content is what counts there.
    if let Ok(old) = fs::symlink_metadata(path) {
        let _ = std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()));
    }
    let _ = file.set_permissions(fs::Permissions::from_mode(mode));
    ntfs_security::protect_file(&file, mode)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn flush_folder_of(path: &Path) {
    if let Some(folder) = path.parent() {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A volume whose links lead out of it, beside what must not be touched.
    struct Hostile {
        _folder: tempfile::TempDir,
        machine: Linux,
        root: PathBuf,
        outside: PathBuf,
    }

    fn hostile() -> Hostile {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        for path in [&root, &outside, &root.join("real")] {
            fs::create_dir(path).unwrap();
        }
        fs::write(outside.join("shadow"), "outside").unwrap();
        fs::write(root.join("real/source"), "source").unwrap();
        symlink(&outside, root.join("absolute")).unwrap();
        symlink("../outside", root.join("up")).unwrap();
        symlink("/", root.join("top")).unwrap();
        symlink("/real", root.join("within")).unwrap();
        symlink(outside.join("shadow"), root.join("file")).unwrap();
        symlink(format!("/proc/{}/root", std::process::id()), root.join("magic")).unwrap();
        let machine = Linux::new();
        let mounted = (root.clone(), true);
        machine.mounted.borrow_mut().insert("/dev/none".into(), mounted);
        Hostile {
            _folder: folder,
            machine,
            root,
            outside,
        }
    }

    #[test]
    fn no_link_leads_out_of_a_volume() {
        let Hostile {
            machine,
            root,
            outside,
            ..
        } = &hostile();
        let shadow = outside.join("shadow").display().to_string();
        let ways = ["absolute/shadow", "up/shadow", "file", "magic/etc/passwd"].map(str::to_owned);
        let ways = ways
            .into_iter()
            .chain([format!("top{shadow}"), format!("top/..{shadow}")]);
        for way in ways {
            let path = root.join(&way);
            assert_eq!(machine.read(&path).unwrap_or_default(), None, "{way} was read");
            assert!(machine.digest(&path, &mut |_| {}).is_err(), "{way} was read");
            assert!(machine.write_at(&path, 0, b"x").is_err(), "{way} was written");
            assert!(
                machine.copy(&path, &root.join("copied")).is_err(),
                "{way} was copied"
            );
            // What they lead to is made on the volume, or not at all.
            let _ = machine.write(&path, b"new", 0o644);
            let _ = machine.link(&path, "elsewhere");
            let _ = machine.copy(&root.join("real/source"), &path);
            let _ = machine.rename(&path, &root.join("moved"));
            let _ = machine.remove(&path);
        }
        machine.remove(&root.join("absolute")).unwrap();
        assert_eq!(fs::read(outside.join("shadow")).unwrap(), b"outside");
        assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
        assert!(Path::new("/etc/passwd").exists());
    }

    #[test]
    fn links_lead_to_places_on_the_volume() {
        let Hostile { machine, root, .. } = &hostile();
        machine
            .write(&root.join("within/deep/er/name"), b"one", 0o600)
            .unwrap();
        machine
            .write(&root.join("top/top/real/two"), b"two", 0o644)
            .unwrap();
        assert_eq!(fs::read(root.join("real/deep/er/name")).unwrap(), b"one");
        assert_eq!(fs::read(root.join("real/two")).unwrap(), b"two");
        assert_eq!(
            machine.list(&root.join("within")).unwrap(),
            ["deep", "source", "two"]
        );
        assert!(machine.is_link(&root.join("within")) && !machine.is_folder(&root.join("within")));
        assert!(machine.is_folder(root) && machine.exists(&root.join("up")));
        machine.remove(&root.join("within")).unwrap();
        assert!(
            root.join("real/two").exists(),
            "the link is removed, not what it leads to"
        );
    }

    #[test]
    fn only_an_empty_folder_is_removed_as_such() {
        let Hostile {
            machine,
            root,
            outside,
            ..
        } = &hostile();
        fs::create_dir(root.join("empty")).unwrap();
        for folder in ["empty", "real", "real/source", "within", "absolute", "nowhere"] {
            machine.remove_empty(&root.join(folder)).unwrap();
        }
        assert!(!root.join("empty").exists());
        assert!(root.join("real/source").exists() && machine.is_link(&root.join("within")));
        assert!(machine.is_link(&root.join("absolute")) && outside.exists());
    }

    #[test]
    fn what_may_hold_secrets_is_written_over_when_it_is_replaced_or_wiped() {
        let Hostile { machine, root, .. } = &hostile();
        let path = root.join("answers");
        let open = || File::open(&path).unwrap();
        let rest = |mut file: File| {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
            bytes
        };
        machine.write(&path, b"for all", 0o644).unwrap();
        let public = open();
        machine.write(&path, b"for all, too", 0o644).unwrap();
        assert_eq!(rest(public), b"for all");
        machine.write(&path, b"one", 0o600).unwrap();
        let first = open();
        machine.write(&path, b"another", 0o600).unwrap();
        assert_eq!(machine.read(&path).unwrap().unwrap(), b"another");
        let second = open();
        machine.wipe(&path).unwrap();
        assert!(!machine.exists(&path));
        assert_eq!((rest(first), rest(second)), (vec![0; 3], vec![0; 7]));
        fs::write(root.join("answers.new"), "torn").unwrap();
        machine.wipe(&path).unwrap();
        assert!(!root.join("answers.new").exists());
        machine.wipe(&root.join("nowhere")).unwrap();
        assert!(!machine.exists(&root.join("nowhere")), "a link goes as itself");
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_at_once() {
        let Hostile { machine, root, .. } = &hostile();
        let pipe = root.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
        let error = format!("{:#}", machine.read(&pipe).unwrap_err());
        assert!(error.contains("no file"), "{error}");
        machine.write(&pipe, b"now a file", 0o600).unwrap();
        assert_eq!(machine.read(&pipe).unwrap().unwrap(), b"now a file");
    }

    #[test]
    fn nothing_is_shown_where_a_link_leads() {
        let Hostile { root, outside, .. } = &hostile();
        for inside in ["absolute", "absolute/dev", "up/dev", "within"] {
            let point = super::super::beneath::mount_point(root, Path::new(inside));
            assert!(point.is_err(), "{inside}");
        }
        assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
        let point = super::super::beneath::mount_point(root, Path::new("boot/efi")).unwrap();
        assert!(point.is_dir());
    }
}
