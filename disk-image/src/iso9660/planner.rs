//! The order of things in the image: gives every part its sectors, then encodes all of them.

use super::directory::{Encoded, Encoder, Hierarchy, Place, View};
use super::el_torito::{self, BootImages};
use super::hybrid::{self, Disk};
use super::moment::Moment;
use super::nodes::{Kind, Nodes};
use super::path_table;
use super::volume::{self, Volume};
use super::{BiosImage, Error, Params, SECTOR};
use crate::extent::{Content, Extent, Layout};
use crate::tree::FileTree;

/// Hands out sectors in ascending order.
struct Sectors {
    next: u64,
}

impl Sectors {
    /// Takes the sectors for `length` bytes; `path` names what needs them.
    fn take(&mut self, length: u64, path: impl FnOnce() -> String) -> Result<u32, Error> {
        let first = self.next;
        let end = first
            .checked_add(length.div_ceil(SECTOR))
            .filter(|end| u32::try_from(*end).is_ok());
        self.next = end.ok_or_else(|| Error::TooLarge { path: path() })?;
        Ok(first as u32)
    }

    fn align(&mut self, bytes: u64) {
        self.next = self.next.next_multiple_of(bytes / SECTOR);
    }
}

/// One view of the tree with the sectors of its parts.
struct PlacedView {
    hierarchy: Hierarchy,
    tables: [u32; 2],
    table_length: u64,
    folders: Vec<Place>,
    continuations: u32,
}

impl PlacedView {
    fn place(nodes: &Nodes, view: View, sectors: &mut Sectors) -> Result<Self, Error> {
        let hierarchy = Hierarchy::sort(nodes, view);
        let table_length = path_table::length(nodes, &hierarchy);
        let table = || "the path tables".to_owned();
        let tables = [
            sectors.take(table_length, table)?,
            sectors.take(table_length, table)?,
        ];
        let folders = vec![Place::default(); hierarchy.folders.len()];
        let mut this = Self {
            hierarchy,
            tables,
            table_length,
            folders,
            continuations: 0,
        };
        let draft = this.encode(nodes, &vec![0; nodes.0.len()], [0; 7]);
        for (position, bytes) in draft.folders.iter().enumerate() {
            let length = bytes.len() as u64;
            let path = || nodes.path(this.hierarchy.folders[position]);
            if u32::try_from(length).is_err() {
                return Err(Error::TooLarge { path: path() });
            }
            this.folders[position] = Place {
                sector: sectors.take(length, path)?,
                length,
            };
        }
        this.continuations = sectors.take(draft.continuations.len() as u64, || "long names".to_owned())?;
        Ok(this)
    }

    fn encode(&self, nodes: &Nodes, files: &[u32], date: [u8; 7]) -> Encoded {
        let (hierarchy, folders, continuations) = (&self.hierarchy, &self.folders, self.continuations);
        Encoder {
            nodes,
            hierarchy,
            folders,
            files,
            continuations,
            date,
        }
        .encode()
    }

    fn volume(&self, sectors: u32) -> Volume {
        Volume {
            sectors,
            root: self.folders[0],
            path_table_length: self.table_length as u32,
            little_endian_table: self.tables[0],
            big_endian_table: self.tables[1],
        }
    }

    fn append(&self, nodes: &Nodes, files: &[u32], moment: Moment, out: &mut Layout) -> Result<(), Error> {
        let tables = path_table::encode(nodes, &self.hierarchy, &self.folders)?;
        out.extents.push(at(self.tables[0], tables.little_endian));
        out.extents.push(at(self.tables[1], tables.big_endian));
        let encoded = self.encode(nodes, files, moment.record());
        // Folders follow each other: one extent for all of them.
        out.extents
            .push(at(self.folders[0].sector, encoded.folders.concat()));
        out.extents.push(at(self.continuations, encoded.continuations));
        Ok(())
    }
}

/// The sectors of everything.
struct Placement {
    catalog: Option<u32>,
    images: BootImages,
    views: Vec<PlacedView>,
    /// Per node: the first sector of a file.
    files: Vec<u32>,
    sectors: u32,
}

pub(super) fn plan(tree: &FileTree, params: &Params) -> Result<Layout, Error> {
    volume::check_texts(params)?;
    hybrid::check_code(params)?;
    let moment = Moment::from_unix(params.timestamp)?;
    let nodes = Nodes::list(tree, params)?;
    let placement = place(&nodes, params)?;
    encode(&nodes, params, &placement, moment)
}

fn place(nodes: &Nodes, params: &Params) -> Result<Placement, Error> {
    let boot = &params.boot;
    let bootable = boot.bios_image.is_some() || boot.efi_image.is_some();
    let descriptors = 2 + u64::from(bootable) + u64::from(params.joliet);
    let mut sectors = Sectors {
        next: u64::from(volume::FIRST) + descriptors,
    };
    let catalog = bootable
        .then(|| sectors.take(SECTOR, || "the boot catalog".to_owned()))
        .transpose()?;
    let mut images = BootImages::default();
    if let Some(BiosImage::Bytes(bytes) | BiosImage::Program(bytes)) = &boot.bios_image {
        images.bios = Some(sectors.take(bytes.len() as u64, || "the BIOS boot image".to_owned())?);
    }
    if let Some(BiosImage::Program(bytes)) = &boot.bios_image {
        images.bios_load_sectors = el_torito::sectors_of_program(bytes)?;
    }
    // Before records are made: an impossible size would ask for billions of them.
    place_files(nodes, &mut Sectors { next: sectors.next })?;
    let mut views = vec![PlacedView::place(nodes, View::Primary, &mut sectors)?];
    if params.joliet {
        views.push(PlacedView::place(nodes, View::Joliet, &mut sectors)?);
    }
    let files = place_files(nodes, &mut sectors)?;
    if let Some(BiosImage::File(path)) = &boot.bios_image {
        images.bios = Some(files[bios_file(nodes, path)?.0]);
    }
    if let Some(efi) = &boot.efi_image {
        sectors.align(hybrid::ALIGNMENT);
        let first = sectors.take(efi.size, || "the EFI system partition".to_owned())?;
        images.efi = Some((first, efi.size));
    }
    if params.guids.is_some() {
        sectors.align(hybrid::GRAIN);
        sectors.take(hybrid::BACKUP_LENGTH, || "the backup partition table".to_owned())?;
    }
    Ok(Placement {
        catalog,
        images,
        views,
        files,
        sectors: sectors.next as u32,
    })
}

/// An empty file has no bytes, but names the sector of what follows: readers expect one inside the volume.
fn place_files(nodes: &Nodes, sectors: &mut Sectors) -> Result<Vec<u32>, Error> {
    let mut files = vec![0; nodes.0.len()];
    for (place, node) in nodes.0.iter().enumerate() {
        if let Kind::File { size, .. } = node.kind {
            files[place] = sectors.take(size, || nodes.path(place))?;
        }
    }
    Ok(files)
}

/// The BIOS boot image that is a file of the tree, with its bytes.
fn bios_file<'a>(nodes: &Nodes<'a>, path: &str) -> Result<(usize, &'a [u8]), Error> {
    let found = nodes.find(path).and_then(|place| match nodes.0[place].kind {
        Kind::File {
            content: Content::Bytes(bytes),
            ..
        } => Some((place, bytes.as_slice())),
        _ => None,
    });
    found.ok_or_else(|| Error::BiosImageFile(path.to_owned()))
}

fn encode(nodes: &Nodes, params: &Params, placement: &Placement, moment: Moment) -> Result<Layout, Error> {
    let size = u64::from(placement.sectors) * SECTOR;
    let mut out = Layout {
        size,
        extents: Vec::with_capacity(nodes.0.len() + 16),
    };
    if let Some(guids) = &params.guids {
        let disk = Disk {
            size,
            bios: placement.images.bios,
            efi: placement.images.efi,
        };
        out.extents.extend(hybrid::extents(&disk, params, guids)?);
    }
    out.extents.push(descriptors(params, placement, moment));
    if let Some(catalog) = placement.catalog {
        out.extents
            .push(at(catalog, el_torito::catalog(&placement.images)));
    }
    for view in &placement.views {
        view.append(nodes, &placement.files, moment, &mut out)?;
    }
    append_images(nodes, params, placement, &mut out)?;
    Ok(out.finish())
}

/// All volume descriptors. They are written last, as the partition table is: without them a disc does not boot.
fn descriptors(params: &Params, placement: &Placement, moment: Moment) -> Extent {
    let mut bytes = Vec::new();
    for view in &placement.views {
        let volume = view.volume(placement.sectors);
        bytes.extend(volume::descriptor(view.hierarchy.view, params, &volume, moment));
        if let (Some(catalog), View::Primary) = (placement.catalog, view.hierarchy.view) {
            bytes.extend(volume::boot_record(catalog));
        }
    }
    bytes.extend(volume::terminator());
    Extent {
        last: true,
        ..at(volume::FIRST, bytes)
    }
}

/// The files, the BIOS boot image with its patches, and the EFI image.
fn append_images(
    nodes: &Nodes,
    params: &Params,
    placement: &Placement,
    out: &mut Layout,
) -> Result<(), Error> {
    let mut patched = None;
    match (&params.boot.bios_image, placement.images.bios) {
        (Some(BiosImage::Bytes(bytes)), Some(sector)) => {
            el_torito::check_image(bytes)?;
            out.extents.push(el_torito::patched(bytes.clone(), sector));
        }
        (Some(BiosImage::Program(bytes)), Some(sector)) => out.extents.push(at(sector, bytes.clone())),
        (Some(BiosImage::File(path)), Some(sector)) => {
            let (place, bytes) = bios_file(nodes, path)?;
            el_torito::check_image(bytes)?;
            out.extents.push(el_torito::patched(bytes.to_vec(), sector));
            patched = Some(place);
        }
        _ => {}
    }
    for (place, node) in nodes
        .0
        .iter()
        .enumerate()
        .filter(|(place, _)| Some(*place) != patched)
    {
        if let Kind::File { size, content } = node.kind {
            let offset = u64::from(placement.files[place]) * SECTOR;
            out.extents.push(Extent {
                offset,
                length: size,
                content: content.clone(),
                last: false,
            });
        }
    }
    if let (Some(image), Some((sector, _))) = (&params.boot.efi_image, placement.images.efi) {
        out.embed(u64::from(sector) * SECTOR, image.clone());
    }
    Ok(())
}

fn at(sector: u32, bytes: Vec<u8>) -> Extent {
    Extent::bytes(u64::from(sector) * SECTOR, bytes)
}
