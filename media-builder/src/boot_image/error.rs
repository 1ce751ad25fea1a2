//! What can go wrong while a boot image is made or read.

use std::path::{Path, PathBuf};

/// The result of this module's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that names the work, its object, the reason, and what the user can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A host program that the build needs is absent.
    #[error("{tool} is needed to make a boot image and is not installed; install the package {package}")]
    ToolMissing {
        /// The program.
        tool: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// The keyring that apt checks the suite's signatures with is absent.
    #[error("no Debian archive keyring at {0}; install the package debian-archive-keyring")]
    KeyringMissing(String),
    /// An external program failed.
    #[error("{what}: {program} failed ({status}); its last lines:\n{tail}")]
    ToolFailed {
        /// The work it was started for.
        what: String,
        /// The program.
        program: String,
        /// Exit status or signal.
        status: String,
        /// The end of what it printed.
        tail: String,
    },
    /// The suite lacks a package of the list.
    #[error("suite {suite} has no package {package}; choose another suite or change the package list")]
    PackageMissing {
        /// The suite that was asked.
        suite: String,
        /// The package.
        package: String,
    },
    /// A file of the list is in none of the packages.
    #[error("{wanted} is in none of the unpacked packages (needed by {by}); correct the boot image's list")]
    FileMissing {
        /// The path or library name.
        wanted: String,
        /// What asked for it.
        by: String,
    },
    /// A kernel module of the list is neither a module nor built in.
    #[error(
        "kernel {kernel} has neither a module nor a built-in named {module}; correct the boot image's list"
    )]
    ModuleMissing {
        /// The kernel's version.
        kernel: String,
        /// The module.
        module: String,
    },
    /// A program needs a newer C library than the image has.
    #[error(
        "{program} needs {version}, which the suite's C library does not have; build it on an older release"
    )]
    TooNew {
        /// The program.
        program: String,
        /// The symbol version that is missing.
        version: String,
    },
    /// A worker was built without the library that it is there for.
    #[error(
        "{program} is not linked with {library}; build it where {library}'s development package is installed"
    )]
    WithoutLibrary {
        /// The worker.
        program: PathBuf,
        /// Its library.
        library: &'static str,
    },
    /// What is to be the runtime for Windows is no program for it.
    #[error("{0} is no program for Windows; `make windows` makes one")]
    NotForWindows(PathBuf),
    /// A worker failed.
    #[error("{doing}: {why}")]
    Worker {
        /// The work it was started for.
        doing: String,
        /// What it said, with what the user can do.
        why: String,
    },
    /// What a WinPE is to be made from is nothing of the kind.
    #[error(
        "{path} is {what}; give a boot.wim, a Windows ISO, or a folder: that of the ADK's Windows PE, one that copype made, or a copy of a Windows disc"
    )]
    NoWinPe {
        /// What was given.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The WIM has no such image, or one that is no WinPE.
    #[error("{wim}: {why}")]
    WinPeImage {
        /// The WIM.
        wim: PathBuf,
        /// What is wrong, and what can be chosen.
        why: String,
    },
    /// Files that make a WinPE start are nowhere.
    #[error(
        "{source_path} lacks what a WinPE starts with:\n{missing}\ngive a source that has them: a Windows ISO does; of the ADK, the folder \"Assessment and Deployment Kit\" with the Deployment Tools and the Windows PE add-on"
    )]
    WinPeFiles {
        /// What was given.
        source_path: PathBuf,
        /// A line for each file, with the places where it was looked for.
        missing: String,
    },
    /// What UEFI is to start cannot be started.
    #[error("{path}: {why}; the disc or WIM that it comes from is damaged")]
    BootProgram {
        /// The file.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// GRUB for a BIOS is to be taken from something else than what has it.
    #[error(
        "{0} is no Linux PE, so it has no GRUB for a BIOS; make one with `media-builder boot-image build`, and name it with `--bios-from`"
    )]
    NoLinuxPe(PathBuf),
    /// A folder of drivers cannot be used.
    #[error("the drivers in {folder}: {why}")]
    Drivers {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// An ELF file could not be understood.
    #[error("reading {path} as an ELF file: {why}")]
    Elf {
        /// The file.
        path: String,
        /// The parser's reason.
        why: String,
    },
    /// The list of contents is not valid.
    #[error("the list of the boot image's contents is not valid: {0}")]
    Contents(String),
    /// A file is not a boot image, or a damaged one.
    #[error("{path} is not a usable boot image: {why}; make it again with `media-builder boot-image build`")]
    NotABootImage {
        /// The file.
        path: PathBuf,
        /// The first thing that is wrong.
        why: String,
    },
    /// A file operation failed.
    #[error("{doing} {path}")]
    Io {
        /// The operation.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Error {
    /// For `map_err`: adds the operation and the path to an error of the system.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source }
    }
}
