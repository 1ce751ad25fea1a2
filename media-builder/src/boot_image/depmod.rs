//! Indexes of the chosen modules, made by the packages' own depmod.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::kernel_modules::Kernel;
use super::packages::Tree;
use super::{Error, Result, closure, tool};

/// What the runtime's loader reads; the binary forms are for kmod, which is not in the image.
const INDEXES: [&str; 4] = [
    "modules.dep",
    "modules.alias",
    "modules.softdep",
    "modules.devname",
];
/// What depmod wants to find besides the modules.
const LISTS: [&str; 3] = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];

/// The packages' own dynamic loader with the folders of a program's libraries.
pub(super) fn foreign_command(tree: &Tree, program: &str) -> Result<std::process::Command> {
    let bytes = tree.read(program, "the build")?;
    let libraries = closure::libraries(
        tree,
        &[closure::Program {
            name: program,
            bytes: &bytes,
        }],
    )?;
    let is_loader = |path: &&String| {
        path.rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("ld-linux"))
    };
    let loader = libraries.keys().find(is_loader).cloned().unwrap_or_default();
    let loader = tree.get(&loader, program)?.host_path;
    let folders = libraries
        .values()
        .filter_map(|found| found.host_path.parent().map(PathBuf::from));
    let folders: std::collections::BTreeSet<PathBuf> = folders.collect();
    let program = tree.host_path(program, "the build")?;
    Ok(tool::foreign(
        &loader,
        &folders.into_iter().collect::<Vec<_>>(),
        &program,
    ))
}

/// The indexes of the modules: path in the image → content.
pub(super) fn indexes(
    tree: &Tree,
    kernel: &Kernel,
    modules: &BTreeMap<String, Vec<u8>>,
    work: &Path,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let stage = tempfile::tempdir_in(work).map_err(Error::io("creating a folder in", work))?;
    // depmod itself looks below /lib/modules.
    let place = |path: &str| stage.path().join(path.trim_start_matches("usr/"));
    for (path, bytes) in modules {
        write(&place(path), bytes)?;
    }
    for name in LISTS {
        write(
            &place(&kernel.list(name)),
            &tree.read(&kernel.list(name), "depmod")?,
        )?;
    }
    let mut command = foreign_command(tree, "usr/sbin/depmod")?;
    command.arg("-b").arg(stage.path()).arg(&kernel.version);
    tool::output(&mut command, "indexing the kernel modules")?;
    let read = |name: &&str| {
        let path = kernel.list(name);
        let from = place(&path);
        Ok((path, fs::read(&from).map_err(Error::io("reading", &from))?))
    };
    INDEXES.iter().map(read).collect()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(Error::io("creating", folder))?;
    fs::write(path, bytes).map_err(Error::io("writing", path))
}
