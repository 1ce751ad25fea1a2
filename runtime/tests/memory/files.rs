//! Files: a write beside the old file and renamed, the rest as torn as a cut leaves it.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, bail};
use media_format::wim::reparse::DEDUP;
use runtime::platform::{Files, Result};
use sha2::{Digest as _, Sha256};

use crate::machine::Memory;
use crate::world::{Node, file};

impl Memory {
    fn node(&self, path: &Path) -> Option<Node> {
        let world = self.world();
        let (place, key, _) = world.locate(path);
        let volume = world.volume(&place);
        if key.is_empty() {
            Some(Node::Folder)
        } else {
            volume.tree.get(&key).cloned()
        }
    }

    /// Puts a file of which a cut leaves half.
    pub(crate) fn put_slowly(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        let (place, key) = self.writable(path, bytes.len() as u64)?;
        self.tick(&format!("copy {}", path.display()), |world| {
            world
                .volume_mut(&place)
                .put(&key, file(&bytes[..bytes.len() / 2]));
        })?;
        self.world_mut()
            .volume_mut(&place)
            .put(&key, Node::File(Rc::new(bytes.to_vec()), mode));
        Ok(())
    }
}

impl Memory {
    /// What a program writes: a cut takes it back until somebody flushes.
    pub(crate) fn put_by_program(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        let (place, key) = self.writable(path, bytes.len() as u64)?;
        self.tick(&format!("program writes {}", path.display()), |_| {})?;
        let mut world = self.world_mut();
        let volume = world.volume_mut(&place);
        let before = volume.tree.get(&key).cloned();
        volume.put(&key, Node::File(Rc::new(bytes.to_vec()), mode));
        world.unflushed.push((place, key, before));
        Ok(())
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.node(path) {
            Some(Node::File(bytes, _)) => Ok(Some(bytes.to_vec())),
            Some(Node::Folder) => bail!("reading {}: is a directory", path.display()),
            Some(Node::Link(_)) | None => Ok(None),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        let (place, key) = self.writable(path, bytes.len() as u64)?;
        self.tick(&format!("write {}", path.display()), |world| {
            world
                .volume_mut(&place)
                .put(&format!("{key}.new"), file(&bytes[..bytes.len() / 2]));
        })?;
        let mut world = self.world_mut();
        let volume = world.volume_mut(&place);
        volume.tree.remove(&format!("{key}.new"));
        if mode & 0o077 != 0 {
            volume.free(&key);
        }
        volume.put(&key, Node::File(Rc::new(bytes.to_vec()), mode));
        Ok(())
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        let (place, key) = self.writable(path, 0)?;
        let start = usize::try_from(offset)?;
        let overwrite = |world: &mut crate::world::World, bytes: &[u8]| -> Result<()> {
            let Some(Node::File(old, _)) = world.volume_mut(&place).tree.get_mut(&key) else {
                bail!("overwriting {}: no such file", path.display());
            };
            let old = Rc::make_mut(old);
            let end = start + bytes.len();
            old.resize(old.len().max(end), 0);
            old[start..end].copy_from_slice(bytes);
            Ok(())
        };
        self.tick(&format!("write at {offset} of {}", path.display()), |world| {
            // A state block is two sectors, which a disk may write one without the other.
            let torn = bytes.len().div_ceil(512) / 2 * 512;
            overwrite(world, &bytes[..torn.min(bytes.len())]).expect("the file is there");
        })?;
        overwrite(&mut self.world_mut(), bytes)
    }

    fn link(&self, path: &Path, to: &str) -> Result<()> {
        let (place, key) = self.writable(path, 0)?;
        self.remove(path)?;
        self.tick(&format!("link {}", path.display()), |_| {})?;
        self.world_mut()
            .volume_mut(&place)
            .put(&key, Node::Link(to.into()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        if self.node(path).is_none() {
            return Ok(());
        }
        let (place, key) = self.writable(path, 0)?;
        let all = self.world().volume(&place).below(&key);
        for name in all {
            self.tick(&format!("remove {} of {}", name, path.display()), |_| {})?;
            let mut world = self.world_mut();
            let volume = world.volume_mut(&place);
            volume.free(&name);
            volume.tree.remove(&name);
        }
        Ok(())
    }

    fn wipe(&self, path: &Path) -> Result<()> {
        if let Some(Node::File(bytes, _)) = self.node(path) {
            self.write_at(path, 0, &vec![0; bytes.len()])?;
        }
        self.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let (place, old) = self.writable(from, 0)?;
        let (other, new) = self.writable(to, 0)?;
        anyhow::ensure!(place == other, "a rename stays on its volume");
        self.tick(&format!("rename {}", from.display()), |_| {})?;
        let mut world = self.world_mut();
        let volume = world.volume_mut(&place);
        let node = volume
            .tree
            .remove(&old)
            .with_context(|| format!("renaming {}: no such file", from.display()))?;
        volume.free(&new);
        volume.put(&new, node);
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let Some(Node::File(bytes, mode)) = self.node(from) else {
            bail!("copying {}: no such file", from.display());
        };
        self.put_slowly(to, &bytes, mode)
    }

    fn exists(&self, path: &Path) -> bool {
        self.node(path).is_some()
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let world = self.world();
        let (place, key, _) = world.locate(path);
        let prefix = if key.is_empty() {
            String::new()
        } else {
            format!("{key}/")
        };
        let names = world
            .volume(&place)
            .tree
            .keys()
            .filter_map(|name| name.strip_prefix(&prefix));
        Ok(names
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect())
    }

    fn is_folder(&self, path: &Path) -> bool {
        matches!(self.node(path), Some(Node::Folder))
    }

    fn is_link(&self, path: &Path) -> bool {
        matches!(self.node(path), Some(Node::Link(_)))
    }

    fn modified(&self, path: &Path) -> Option<std::time::SystemTime> {
        self.node(path).map(|_| std::time::UNIX_EPOCH)
    }

    fn digest(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<([u8; 32], u64)> {
        let Some(Node::File(bytes, _)) = self.node(path) else {
            bail!("opening {}: no such file", path.display());
        };
        progress(bytes.len() as u64);
        Ok((Sha256::digest(bytes.as_slice()).into(), bytes.len() as u64))
    }

    fn is_packed(&self, _path: &Path) -> Result<bool> {
        Ok(self.world().compressed)
    }

    fn reparse_tags(&self, root: &Path) -> Result<BTreeSet<u32>> {
        let tag = self.world().deduplicated.contains(root).then_some(DEDUP);
        Ok(tag.into_iter().collect())
    }
}
