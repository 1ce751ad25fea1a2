//! WIM files whose content is JSON: applied and captured in several operations, as libwim does.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, anyhow, bail};
use media_format::manifest::hex;
use media_format::wim::header::CompressionType;
use media_format::wim::info::{ImageInfo, WimInfo, WindowsInfo};
use media_format::wim::protocol::{
    Apply, Capture, CaptureImage, Extract, Find, Message, Operation, Phase, Request, Summary, Volume as Where,
};
use runtime::platform::{Drivers, Files as _, Images, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Memory;
use crate::world::{Node, Place, Tree, key};

/// A WIM.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Wim {
    pub(crate) images: Vec<Image>,
}

/// What a part of a split image says besides: which part it is, of how many, of the image with that number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(flatten)]
    pub(crate) wim: Wim,
    pub(crate) part: (u16, u16, u64),
}

/// One image of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) mount_point: Option<String>,
    #[serde(default)]
    pub(crate) windows: Option<WindowsInfo>,
    /// What the capture was told to say of it.
    #[serde(default)]
    pub(crate) about: BTreeMap<String, String>,
    /// Bytes that it needs besides those of its files here.
    #[serde(default)]
    pub(crate) more_bytes: u64,
    entries: Vec<(String, Stored)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Stored {
    File(Vec<u8>, u32),
    Link(String),
    Folder,
}

impl Image {
    pub(crate) fn new(name: &str, tree: &Tree) -> Self {
        let entries = tree.iter().map(|(path, node)| (path.clone(), stored(node)));
        Self {
            name: name.into(),
            mount_point: None,
            windows: None,
            about: BTreeMap::new(),
            more_bytes: 0,
            entries: entries.collect(),
        }
    }

    /// Captured from the volume with that mount point.
    pub(crate) fn of_volume(mount_point: &str, tree: &Tree) -> Self {
        Self {
            mount_point: Some(mount_point.into()),
            ..Self::new(mount_point, tree)
        }
    }

    /// Bytes of all files.
    fn bytes(&self) -> u64 {
        let sizes = self.entries.iter().map(|(_, stored)| match stored {
            Stored::File(bytes, _) => bytes.len() as u64,
            Stored::Link(_) | Stored::Folder => 0,
        });
        sizes.sum::<u64>() + self.more_bytes
    }

    pub(crate) fn tree(&self) -> Tree {
        self.entries
            .iter()
            .map(|(path, stored)| (path.clone(), node(stored)))
            .collect()
    }
}

impl Wim {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data")
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).context("not a WIM file")
    }
}

fn stored(node: &Node) -> Stored {
    match node {
        Node::File(bytes, mode) => Stored::File(bytes.to_vec(), *mode),
        Node::Link(to) => Stored::Link(to.clone()),
        Node::Folder => Stored::Folder,
    }
}

fn node(stored: &Stored) -> Node {
    match stored {
        Stored::File(bytes, mode) => Node::File(Rc::new(bytes.clone()), *mode),
        Stored::Link(to) => Node::Link(to.clone()),
        Stored::Folder => Node::Folder,
    }
}

impl Drivers for Memory {
    fn add_driver(&self, root: &Path, inf: &Path, signed: bool) -> Result<bool> {
        if !self.world().adds_drivers {
            return Ok(false);
        }
        let name = inf.file_name().context("an INF file")?;
        self.write(
            &root.join("Windows/INF").join(name),
            format!("signed: {signed}").as_bytes(),
            0o644,
        )?;
        Ok(true)
    }
}

impl Images for Memory {
    fn image_info(&self, wim: &Path) -> Result<WimInfo> {
        let bytes = self
            .read(wim)?
            .ok_or_else(|| anyhow!("opening {}: no such file", wim.display()))?;
        let images = Wim::parse(&bytes)?.images;
        let whole = |_| (1, 1, 0);
        let (part, total_parts, set) =
            serde_json::from_slice(&bytes).map_or_else(whole, |found: Part| found.part);
        let describe = |(number, image): (usize, &Image)| ImageInfo {
            index: u32::try_from(number + 1).unwrap_or(u32::MAX),
            name: image.name.clone(),
            mount_point: image.mount_point.clone(),
            windows: image.windows.clone(),
            total_bytes: image.bytes(),
            ..ImageInfo::default()
        };
        Ok(WimInfo {
            guid: uuid::Uuid::from_u64_pair(1, set),
            part,
            total_parts,
            boot_index: None,
            compression: CompressionType::Xpress,
            chunk_size: 32768,
            solid: false,
            integrity: false,
            images: images.iter().enumerate().map(describe).collect(),
        })
    }

    fn extracts(&self) -> bool {
        !self.world().winpe
    }

    fn image_request(&self, request: &Request, progress: &mut dyn FnMut(&Message)) -> Result<Summary> {
        let in_boot_image = self.world().volatile.root.is_none();
        anyhow::ensure!(in_boot_image, "an installed system has no worker for WIMs");
        self.world_mut().requests.push(request.clone());
        self.world_mut().request_deadlines.push(self.limited.get());
        match &request.operation {
            Operation::Apply(apply) => self.apply(apply, progress),
            Operation::Capture(capture) => self.capture(capture, progress),
            Operation::Find(find) => self.find(find),
            Operation::Extract(extract) => self.extract(extract),
            _ => bail!("the steps ask for nothing else"),
        }
    }
}

impl Memory {
    fn find(&self, find: &Find) -> Result<Summary> {
        let image = self.image(&find.wim, find.index)?;
        let tree = image.tree();
        let has = |path: &&std::path::PathBuf| {
            let wanted = key(path).to_lowercase();
            tree.keys().any(|known| known.to_lowercase() == wanted)
        };
        Ok(Summary {
            found: find.paths.iter().filter(has).cloned().collect(),
            ..Summary::default()
        })
    }

    fn extract(&self, extract: &Extract) -> Result<Summary> {
        anyhow::ensure!(self.extracts(), "DISM takes no single files out of an image");
        let image = self.image(&extract.wim, extract.index)?;
        for path in &extract.paths {
            let wanted = key(path).to_lowercase();
            let found = image
                .entries
                .iter()
                .find(|(path, _)| path.to_lowercase() == wanted);
            if let Some((path, Stored::File(bytes, mode))) = found {
                let name = path.rsplit('/').next().context("a name")?;
                self.write(&extract.folder.join(name), bytes, *mode)?;
            }
        }
        Ok(Summary::default())
    }

    fn image(&self, wim: &Path, index: u32) -> Result<Image> {
        let bytes = self.read(wim)?.context("the image is gone")?;
        let mut images = Wim::parse(&bytes)?.images;
        anyhow::ensure!(index >= 1 && index as usize <= images.len(), "no such image");
        Ok(images.swap_remove(index as usize - 1))
    }

    /// libwim opens the volume for itself alone.
    fn unmounted(&self, device: &Path) -> Result<Place> {
        let world = self.world();
        anyhow::ensure!(
            !world.volatile.mounts.contains_key(device),
            "{} is mounted",
            device.display()
        );
        let place = world.device(device).context("no such device")?;
        anyhow::ensure!(world.volume(&place).kind == "ntfs", "not an NTFS volume");
        Ok(place)
    }

    fn apply_to_ntfs(&self, image: &Image, device: &Path) -> Result<Summary> {
        let place = self.unmounted(device)?;
        for (path, stored) in &image.entries {
            self.tick(&format!("extract {path}"), |world| {
                world.volume_mut(&place).unclean = true;
            })?;
            self.world_mut().volume_mut(&place).put(path, node(stored));
        }
        Ok(Summary::default())
    }

    fn apply(&self, apply: &Apply, progress: &mut dyn FnMut(&Message)) -> Result<Summary> {
        let image = self.image(&apply.wim, apply.index)?;
        let missing = self.image_info(&apply.wim)?.total_parts - 1;
        anyhow::ensure!(apply.parts.len() == usize::from(missing), "parts are missing");
        let folder = match &apply.target {
            Where::Folder(folder) => folder,
            Where::NtfsVolume(device) => return self.apply_to_ntfs(&image, device),
        };
        let (place, _, _) = self.world().locate(folder);
        anyhow::ensure!(
            matches!(place, Place::Volume(_, Some(_))),
            "applying to a folder of the boot image"
        );
        let (mut done, total) = (0, image.entries.len() as u64);
        for (path, stored) in &image.entries {
            let target = folder.join(path);
            match stored {
                Stored::File(bytes, mode) => self.put_slowly(&target, bytes, *mode)?,
                Stored::Link(to) => self.link(&target, to)?,
                Stored::Folder => {
                    let (place, key) = self.writable(&target, 0)?;
                    if !key.is_empty() {
                        self.world_mut().volume_mut(&place).put(&key, Node::Folder);
                    }
                }
            }
            done += 1;
            progress(&Message::Progress {
                phase: Phase::Structure,
                done,
                total,
            });
        }
        for text in self.world().apply_warnings.clone() {
            progress(&Message::Warning { path: None, text });
        }
        self.tick("flush the volume", |_| {})?;
        Ok(Summary {
            files: total,
            ..Summary::default()
        })
    }

    fn capture(&self, capture: &Capture, progress: &mut dyn FnMut(&Message)) -> Result<Summary> {
        let mut wim = Wim::default();
        for image in &capture.images {
            let place = match &image.source {
                Where::Folder(folder) => self.world().locate(folder).0,
                Where::NtfsVolume(device) => self.unmounted(device)?,
            };
            let world = self.world();
            let kept = |path: &String| !image.exclude.iter().any(|pattern| excluded(path, pattern));
            let tree = &world.volume(&place).tree;
            let tree = tree
                .iter()
                .filter(|(path, _)| kept(path))
                .map(|(p, n)| (p.clone(), n.clone()))
                .collect();
            let taken = Image::new(&image.name, &tree);
            anyhow::ensure!(
                wim.images.iter().all(|other| other.name != image.name),
                "two images are called {}",
                image.name
            );
            wim.images.push(Image {
                mount_point: image.mount_point.clone(),
                about: about(image),
                ..taken
            });
        }
        let bytes = wim.to_bytes();
        for part in 1..=4 {
            let so_far = &bytes[..bytes.len() * part / 4];
            // The worker removes its file when it fails.
            if let Err(error) = self.put_over(&capture.wim, so_far) {
                let (place, key) = self.writable(&capture.wim, 0)?;
                self.world_mut().volume_mut(&place).tree.remove(&key);
                return Err(error);
            }
            let (done, total) = (so_far.len() as u64, bytes.len() as u64);
            progress(&Message::Progress {
                phase: Phase::Write,
                done,
                total,
            });
        }
        self.tick("flush the image", |_| {})?;
        let (digest, wim_bytes) = self.digest(&capture.wim, &mut |_| {})?;
        Ok(Summary {
            wim_bytes,
            sha256: Some(hex(&digest)),
            ..Summary::default()
        })
    }

    fn put_over(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let old = self.read(path)?.map_or(0, |old| old.len());
        self.writable(path, bytes.len().saturating_sub(old) as u64)?;
        let (place, key) = self.writable(path, 0)?;
        self.tick(&format!("capture to {}", path.display()), |world| {
            world
                .volume_mut(&place)
                .put(&key, crate::world::file(&bytes[..bytes.len() * 2 / 3]));
        })?;
        self.world_mut()
            .volume_mut(&place)
            .put(&key, crate::world::file(bytes));
        Ok(())
    }
}

fn about(image: &CaptureImage) -> BTreeMap<String, String> {
    let all = [
        ("flags", &image.flags),
        ("display name", &image.display_name),
        ("description", &image.description),
        ("display description", &image.display_description),
        ("creator", &image.creator),
        ("version", &image.version),
    ];
    let given = all
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text.clone()?)));
    given.collect()
}

/// `/tmp/*` leaves out what is below, `/swapfile` the file.
fn excluded(path: &str, pattern: &str) -> bool {
    let pattern = pattern.trim_start_matches('/');
    match pattern.strip_suffix("/*") {
        Some(folder) => path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/')),
        None => {
            path == pattern
                || path
                    .strip_prefix(pattern)
                    .is_some_and(|rest| rest.starts_with('/'))
        }
    }
}
