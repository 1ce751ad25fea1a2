//! Loads kernel modules inside this process: at the start of a machine a process for each would cost seconds.

use std::collections::HashSet;
use std::ffi::{CStr, c_int};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::io::Errno;
use rustix::system::{finit_module, uname};

use super::Error;
use super::module_index::ModuleIndex;

/// `MODULE_INIT_COMPRESSED_FILE`: the kernel unpacks the file itself.
const COMPRESSED: c_int = 4;

/// Loads modules of the running kernel by name or alias.
#[derive(Default)]
pub(super) struct Loader {
    folder: PathBuf,
    index: ModuleIndex,
    /// `modprobe.blacklist=` of the kernel's command line: the known way round a driver that hangs a machine.
    refused: Vec<String>,
    done: Mutex<HashSet<String>>,
}

impl Loader {
    /// Reads the indexes of the running kernel's modules.
    pub(super) fn open() -> Result<Self, Error> {
        let folder = Path::new("/lib/modules").join(uname().release().to_string_lossy().as_ref());
        let read = |name: &str| {
            let path = folder.join(name);
            let error = |source| Error::Modules {
                path: path.display().to_string(),
                source,
            };
            fs::read_to_string(&path).map_err(error)
        };
        let index = ModuleIndex::parse(
            &read("modules.dep")?,
            &read("modules.alias")?,
            &read("modules.softdep")?,
        );
        let refused = blacklist(&fs::read_to_string("/proc/cmdline").unwrap_or_default());
        Ok(Self {
            folder,
            index,
            refused,
            done: Mutex::default(),
        })
    }

    /// Loads all modules that a name or alias stands for; false when there is none or one failed. When a module is
    /// loaded that was not, all drivers have found their devices, those of [`begin`](Self::begin) too.
    pub(super) fn load(&self, name: &str) -> bool {
        self.load_with(name, c"")
    }

    /// The same without waiting for what the drivers find.
    pub(super) fn begin(&self, name: &str) -> bool {
        self.load_with(name, c"async_probe")
    }

    fn load_with(&self, name: &str, parameters: &CStr) -> bool {
        let modules = self.index.modules(name);
        let mut all = !modules.is_empty();
        for module in modules.iter().filter(|module| !self.refused.contains(module)) {
            for file in self.index.load_order(module) {
                all &= self.load_file(file, parameters);
            }
        }
        all
    }

    /// The modules that a name or alias stands for.
    pub(super) fn modules(&self, name: &str) -> Vec<String> {
        self.index.modules(name)
    }

    /// Loads as many of these as there are, in this order.
    pub(super) fn load_all(&self, names: &[impl AsRef<str>]) {
        for name in names {
            self.load(name.as_ref());
        }
    }

    /// Several threads may ask for the same file: the kernel makes the second one wait for the first.
    fn load_file(&self, file: &str, parameters: &CStr) -> bool {
        let done = |done: &HashSet<String>| done.contains(file);
        if self.done.lock().is_ok_and(|set| done(&set)) {
            return true;
        }
        let Ok(open) = File::open(self.folder.join(file)) else {
            return false;
        };
        let flags = if file.ends_with(".ko") { 0 } else { COMPRESSED };
        // ENODEV: a driver that found nothing to drive, for example for a processor feature.
        let loaded = matches!(
            finit_module(&open, parameters, flags),
            Ok(()) | Err(Errno::EXIST | Errno::NODEV)
        );
        if let Ok(mut set) = self.done.lock() {
            set.insert(file.to_owned());
        }
        loaded
    }
}

/// A device node whose driver is loaded when somebody opens it, as `modules.devname` names them.
#[derive(Debug, PartialEq, Eq)]
struct StaticNode<'a> {
    path: &'a str,
    kind: FileType,
    major: u32,
    minor: u32,
}

fn parse_node(line: &str) -> Option<StaticNode<'_>> {
    let mut words = line.split_whitespace().skip(1);
    let path = words.next()?;
    let (kind, numbers) = words.next()?.split_at_checked(1)?;
    let kind = if kind == "b" {
        FileType::BlockDevice
    } else {
        FileType::CharacterDevice
    };
    let (major, minor) = numbers.split_once(':')?;
    Some(StaticNode {
        path,
        kind,
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

impl Loader {
    /// Makes the nodes that exist before their drivers, such as /dev/loop-control.
    pub(super) fn make_static_nodes(&self) {
        let text = fs::read_to_string(self.folder.join("modules.devname")).unwrap_or_default();
        for node in text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(parse_node)
        {
            let path = Path::new("/dev").join(node.path);
            let _ = path.parent().map(fs::create_dir_all);
            // A node that the kernel has made already is as good.
            let _ = mknodat(
                CWD,
                &path,
                node.kind,
                Mode::from_raw_mode(0o600),
                makedev(node.major, node.minor),
            );
        }
    }
}

fn blacklist(command_line: &str) -> Vec<String> {
    let lists = command_line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("modprobe.blacklist="));
    lists
        .flat_map(|list| list.split(','))
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// `/sbin/modprobe` of the boot image: the kernel asks through it for file systems, ciphers and code pages.
/// Returns whether every name could be loaded. Drivers are not waited for: one that asks for a module would wait for itself.
pub(super) fn modprobe(arguments: impl Iterator<Item = String>) -> bool {
    let names: Vec<String> = arguments.filter(|argument| !argument.starts_with('-')).collect();
    Loader::open().is_ok_and(|loader| names.iter().all(|name| loader.begin(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_modules_are_read_from_the_command_line() {
        assert_eq!(
            blacklist("quiet modprobe.blacklist=vmd,usb-storage x"),
            ["vmd", "usb_storage"]
        );
    }

    #[test]
    fn static_nodes_are_read() {
        let node = parse_node("loop loop-control c10:237").unwrap();
        assert_eq!((node.path, node.major, node.minor), ("loop-control", 10, 237));
        assert_eq!(node.kind, FileType::CharacterDevice);
        assert_eq!(parse_node("# Device nodes"), None);
    }
}
