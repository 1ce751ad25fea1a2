//! Trees with the bytes that are expected back, and the writer that stands in for the executor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use disk_image::iso9660::{Boot, Guids, Params, plan};
use disk_image::{Content, FileTree, Layout, SourceId};
use uuid::Uuid;

/// Length of the blocks in which a source is copied; blocks of zeroes become holes.
const BLOCK: usize = 1 << 20;

/// A tree and what readers must find in it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sample {
    pub(crate) tree: FileTree,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) folders: BTreeSet<String>,
    pub(crate) sources: Vec<PathBuf>,
}

impl Sample {
    pub(crate) fn file(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.tree
            .insert(path, bytes.len() as u64, Content::Bytes(bytes.clone()))
            .unwrap();
        self.files.insert(path.to_owned(), bytes);
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.remember_folders(folder);
        }
    }

    pub(crate) fn folder(&mut self, path: &str) {
        self.tree.insert_folder(path).unwrap();
        self.remember_folders(path);
    }

    /// A file whose bytes come from `source`; it is not among those that are compared as a whole.
    pub(crate) fn source(&mut self, path: &str, source: PathBuf) {
        let size = source.metadata().unwrap().len();
        let id = SourceId(self.sources.len());
        self.tree
            .insert(
                path,
                size,
                Content::Source {
                    source: id,
                    offset: 0,
                },
            )
            .unwrap();
        self.sources.push(source);
    }

    fn remember_folders(&mut self, path: &str) {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        self.folders.extend(ends.map(|end| path[..end].to_owned()));
    }

    /// Plans and writes the image.
    pub(crate) fn write(&self, params: &Params, image: &Path) -> Layout {
        let layout = plan(&self.tree, params).unwrap();
        let mut file = File::create(image).unwrap();
        file.set_len(layout.size).unwrap();
        for extent in &layout.extents {
            file.seek(SeekFrom::Start(extent.offset)).unwrap();
            match &extent.content {
                Content::Bytes(bytes) => {
                    assert_eq!(bytes.len() as u64, extent.length);
                    file.write_all(bytes).unwrap();
                }
                Content::Source { source, offset } => {
                    copy_sparse(&self.sources[source.0], *offset, extent.length, &mut file);
                }
                Content::Zero => {}
                Content::Late(name) => file.write_all(&late(name, extent.length)).unwrap(),
            }
        }
        layout
    }
}

/// The bytes that the writer gives a late file.
pub(crate) fn late(name: &str, length: u64) -> Vec<u8> {
    name.bytes().cycle().take(length as usize).collect()
}

fn copy_sparse(source: &Path, offset: u64, length: u64, out: &mut File) {
    let mut input = File::open(source).unwrap();
    input.seek(SeekFrom::Start(offset)).unwrap();
    let mut input = input.take(length);
    let (mut block, zeroes) = (Vec::with_capacity(BLOCK), vec![0; BLOCK]);
    while input.by_ref().take(BLOCK as u64).read_to_end(&mut block).unwrap() > 0 {
        if block == zeroes[..block.len()] {
            out.seek(SeekFrom::Current(block.len() as i64)).unwrap();
        } else {
            out.write_all(&block).unwrap();
        }
        block.clear();
    }
}

/// Parameters of an image that does not boot.
pub(crate) fn params() -> Params {
    Params {
        volume_id: "MEDIA_TEST".to_owned(),
        system_id: "LINUX".to_owned(),
        volume_set_id: "6F0C2D7E_93E5_5C55_9D2B_0C8F0A6B7E11".to_owned(),
        publisher: "TESTS".to_owned(),
        application: "MEDIA-BUILDER".to_owned(),
        timestamp: 1_700_000_000,
        joliet: true,
        boot: Boot::default(),
        plain_names: false,
        guids: Some(Guids {
            disk: Uuid::from_u128(0x11112222_3333_4444_5555_666677778888),
            data: Uuid::from_u128(0x21112222_3333_4444_5555_666677778888),
            efi: Uuid::from_u128(0x31112222_3333_4444_5555_666677778888),
        }),
    }
}
