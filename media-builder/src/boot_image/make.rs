//! Makes a boot image: packages → tree → initramfs and boot files → one archive.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::apt::PrivateRoot;
use super::archive::{self, BootImage, Content, Data};
use super::closure::{self, Program};
use super::contents::{Contents, UDHCPC_SCRIPT};
use super::initramfs::{self, Initramfs};
use super::kernel_modules::Kernel;
use super::manifest::{Kind, Linux, Manifest};
use super::packages::{self, Tree};
use super::sources::Sources;
use super::{Error, Progress, Result, depmod, elf, grub, tool};

/// Folders that the runtime mounts on or writes to.
const FOLDERS: [&str; 8] = ["dev", "etc", "mnt", "proc", "root", "run", "sys", "tmp"];
/// The member with the runtime for Windows.
pub const WINDOWS_RUNTIME: &str = "windows/media-runtime.exe";
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// What to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// The Debian suite, `trixie` unless asked otherwise.
    pub suite: String,
    /// The boot image that is written.
    pub output: PathBuf,
    /// The static `media-runtime`.
    pub runtime: PathBuf,
    /// `wim-worker`, linked with libwim.
    pub wim_worker: PathBuf,
    /// `hive-worker`, linked with libhivex.
    pub hive_worker: PathBuf,
    /// The runtime for Windows; media whose sequences are for Windows need it.
    pub windows_runtime: Option<PathBuf>,
    /// Downloaded and unpacked packages are kept here.
    pub cache: PathBuf,
    /// The time stamp of everything, in seconds since 1970.
    pub source_date_epoch: u32,
}

/// Makes a boot image from Debian's packages; two builds of the same inputs are identical.
pub fn build(options: &Options, progress: Progress<'_>) -> Result<BootImage> {
    tool::preflight(&std::env::var_os("PATH").unwrap_or_default())?;
    let contents = Contents::linux_pe()?;
    let tree = fetch(options, &contents, progress)?;
    let kernel = Kernel::find(&tree)?;

    progress("collecting kernel modules", 0, 1);
    let asked = |ready| contents.modules(ready, &options.suite);
    let modules = kernel.closure(&tree, asked(true), asked(false))?;
    let indexes = depmod::indexes(&tree, &kernel, &modules, &options.cache)?;
    let names = modules
        .keys()
        .filter_map(|path| Some(path.rsplit('/').next()?.split_once(".ko")?.0.to_owned()));
    let names = names.collect();

    progress("compressing the initramfs", 0, 1);
    let root = root_file_system(
        options,
        &contents,
        &tree,
        modules.into_iter().chain(indexes).collect(),
    )?;
    let cpio = root
        .cpio(options.source_date_epoch)
        .map_err(Error::io("packing", &options.output))?;
    let initrd = initramfs::compress(&cpio).map_err(Error::io("compressing", &options.output))?;

    progress("writing the boot image", 0, 1);
    let members = members(&contents, &tree, &kernel, initrd, options)?;
    let manifest = Manifest {
        linux: Some(Linux {
            suite: options.suite.clone(),
            kernel_version: kernel.version.clone(),
            initramfs_unpacked: cpio.len() as u64,
            packages: tree.used_packages(),
            modules: names,
        }),
        ..archive::manifest(Kind::LinuxPe, &members)?
    };
    archive::write(
        &options.output,
        &manifest,
        &members,
        options.source_date_epoch.into(),
    )?;
    progress("writing the boot image", 1, 1);
    archive::inspect(&options.output)
}

fn fetch(options: &Options, contents: &Contents, progress: Progress<'_>) -> Result<Tree> {
    progress("reading package lists", 0, 1);
    let folder = options.cache.join(format!("apt-{}", options.suite));
    let root = PrivateRoot::create(&folder, &options.suite, &Sources::of_host()?)?;
    root.update()?;
    let archives = root.resolve(&contents.packages)?;
    root.download(&archives, progress)?;
    packages::unpack(&root, archives, &options.cache.join("unpacked"), progress)
}

/// The runtime as /init, the programs with their libraries, the modules with their indexes.
fn root_file_system(
    options: &Options,
    contents: &Contents,
    tree: &Tree,
    modules: BTreeMap<String, Vec<u8>>,
) -> Result<Initramfs> {
    let mut root = Initramfs::default();
    FOLDERS.iter().for_each(|path| root.folder(path));
    for name in MERGED {
        root.folder(&format!("usr/{name}"));
        root.link(name, &format!("usr/{name}"));
    }
    root.device("dev/console", 5, 1);
    root.file("init", 0o755, read(&options.runtime)?);
    root.link("usr/bin/media-runtime", "../../init");
    // The kernel asks for file systems, ciphers and code pages through it.
    root.link("usr/sbin/modprobe", "../../init");
    root.file(
        "usr/share/udhcpc/default.script",
        0o755,
        UDHCPC_SCRIPT.as_bytes().to_vec(),
    );
    modules
        .into_iter()
        .for_each(|(path, bytes)| root.file(&path, 0o644, bytes));
    programs(&mut root, options, contents, tree)?;
    for (path, source) in &contents.files {
        root.file(path, 0o644, tree.read(source, "the list of files")?);
    }
    contents
        .links
        .iter()
        .for_each(|(path, target)| root.link(path, target));
    contents
        .busybox
        .applets
        .iter()
        .for_each(|name| root.link(&format!("usr/bin/{name}"), "busybox"));
    Ok(root)
}

fn programs(root: &mut Initramfs, options: &Options, contents: &Contents, tree: &Tree) -> Result<()> {
    let mut files = vec![
        (
            "usr/bin/wim-worker".to_owned(),
            worker(&options.wim_worker, "libwim")?,
        ),
        (
            "usr/bin/hive-worker".to_owned(),
            worker(&options.hive_worker, "libhivex")?,
        ),
    ];
    for path in &contents.programs {
        files.push((path.clone(), tree.read(path, "the list of programs")?));
    }
    let wanted: Vec<Program<'_>> = files
        .iter()
        .map(|(name, bytes)| Program { name, bytes })
        .collect();
    for (path, found) in closure::libraries(tree, &wanted)? {
        root.file(&path, 0o755, read(&found.host_path)?);
    }
    files
        .into_iter()
        .for_each(|(path, bytes)| root.file(&path, 0o755, bytes));
    Ok(())
}

/// Anything else in its place would fail only on the machine, in the middle of a run.
fn worker(path: &Path, library: &'static str) -> Result<Vec<u8>> {
    let bytes = read(path)?;
    let needed = elf::dynamic(&path.display().to_string(), &bytes)?.needed;
    match needed
        .iter()
        .any(|name| name.starts_with(&format!("{library}.so")))
    {
        true => Ok(bytes),
        false => Err(Error::WithoutLibrary {
            program: path.to_path_buf(),
            library,
        }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::io("reading", path))
}

/// All members of the boot image after the manifest.
fn members(
    contents: &Contents,
    tree: &Tree,
    kernel: &Kernel,
    initrd: Vec<u8>,
    options: &Options,
) -> Result<Vec<Content>> {
    let from_package = |path: &str, source: &str| -> Result<Content> {
        let found = tree.get(source, "the boot image")?;
        Ok(Content {
            path: path.to_owned(),
            data: Data::Bytes(read(&found.host_path)?),
            package: Some(found.package),
        })
    };
    let mut members = vec![from_package("vmlinuz", &kernel.image())?];
    members.push(Content::new("initrd.img", Data::Bytes(initrd)));
    for (path, source) in &contents.efi {
        members.push(from_package(path, source)?);
    }
    let package = tree.get(grub::PACKAGE_FILE, "the boot image")?.package;
    for (path, bytes) in grub::members(tree, &contents.bios, &options.cache)? {
        members.push(Content {
            path,
            data: Data::Bytes(bytes),
            package: Some(package.clone()),
        });
    }
    members.extend(
        options
            .windows_runtime
            .as_deref()
            .map(windows_runtime)
            .transpose()?,
    );
    Ok(members)
}

/// The runtime for Windows as a member, on media that start a Linux PE as on those that start a WinPE.
pub(super) fn windows_runtime(path: &Path) -> Result<Content> {
    let bytes = read(path)?;
    if !bytes.starts_with(b"MZ") {
        return Err(Error::NotForWindows(path.to_owned()));
    }
    Ok(Content::new(WINDOWS_RUNTIME, Data::Bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_without_its_library_is_refused() {
        for library in ["libwim", "libhivex"] {
            let refused = worker(&std::env::current_exe().unwrap(), library);
            let text = refused.unwrap_err().to_string();
            assert!(text.contains(&format!("is not linked with {library}")), "{text}");
        }
    }
}
