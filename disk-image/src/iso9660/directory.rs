//! Folders: the order of their entries and their directory records, in one of the two views.

use super::SECTOR;
use super::nodes::{Kind, Nodes, ROOT};
use super::rock_ridge::{Attributes, Continuations, RECORD_LENGTH, both_endian_32};

/// Bytes of the largest section of a file that is a multiple of the sector.
const SECTION_LENGTH: u64 = 0xffff_f800;
const FLAG_FOLDER: u8 = 0x02;
const FLAG_MORE_SECTIONS: u8 = 0x80;
/// A record's bytes before its identifier.
const RECORD_HEADER: usize = 33;

/// Which names a hierarchy shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// ISO 9660 names, with Rock Ridge.
    Primary,
    Joliet,
}

/// Where a folder or a file lies.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) sector: u32,
    /// Bytes.
    pub(super) length: u64,
}

/// The folders of a view in the order of the path table: by level, then by parent, then by name.
#[derive(Debug)]
pub(super) struct Hierarchy {
    pub(super) view: View,
    /// The folders' places in the node list.
    pub(super) folders: Vec<usize>,
    /// Per folder of `folders`: its entries in the order of their identifiers.
    entries: Vec<Vec<usize>>,
    /// Per node: its position in `folders`; 0 for files.
    pub(super) position: Vec<usize>,
}

impl Hierarchy {
    pub(super) fn sort(nodes: &Nodes, view: View) -> Self {
        let mut this = Self {
            view,
            folders: vec![ROOT],
            entries: Vec::new(),
            position: vec![0; nodes.0.len()],
        };
        let mut next = 0;
        while let Some(&folder) = this.folders.get(next) {
            let mut entries = nodes.entries(folder).to_vec();
            entries.sort_by(|a, b| order_key(nodes, view, *a).cmp(&order_key(nodes, view, *b)));
            for &entry in entries.iter().filter(|entry| nodes.is_folder(**entry)) {
                this.position[entry] = this.folders.len();
                this.folders.push(entry);
            }
            this.entries.push(entries);
            next += 1;
        }
        this
    }
}

/// Names are compared as if padded with spaces, first the part before the dot, then the rest. No character of a
/// name sorts before the space, so the shorter of two equal beginnings comes first, as for slices.
fn order_key<'a>(nodes: &'a Nodes, view: View, place: usize) -> (&'a [u8], &'a [u8]) {
    let name = identifier(nodes, view, place);
    if view == View::Joliet {
        return (name, &[]);
    }
    let name = name.split(|byte| *byte == b';').next().unwrap_or(name);
    let dot = name.iter().position(|byte| *byte == b'.').unwrap_or(name.len());
    (&name[..dot], name.get(dot + 1..).unwrap_or(&[]))
}

pub(super) fn identifier<'a>(nodes: &'a Nodes, view: View, place: usize) -> &'a [u8] {
    let node = &nodes.0[place];
    match view {
        View::Primary => &node.iso,
        View::Joliet => &node.joliet,
    }
}

/// A directory record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) identifier: &'a [u8],
    pub(super) sector: u32,
    pub(super) length: u32,
    pub(super) flags: u8,
    pub(super) date: [u8; 7],
    pub(super) system_use: &'a [u8],
}

impl<'a> Record<'a> {
    pub(super) fn folder(identifier: &'a [u8], place: Place, date: [u8; 7], system_use: &'a [u8]) -> Self {
        let length = place.length as u32; // the planner refuses folders of 4 GiB
        Self {
            identifier,
            sector: place.sector,
            length,
            flags: FLAG_FOLDER,
            date,
            system_use,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0, 0];
        out.extend(both_endian_32(self.sector));
        out.extend(both_endian_32(self.length));
        out.extend(self.date);
        out.extend([self.flags, 0, 0]);
        out.extend([1, 0, 0, 1]); // volume 1 of the set
        out.push(self.identifier.len() as u8);
        out.extend(self.identifier);
        out.resize(out.len().next_multiple_of(2), 0);
        out.extend(self.system_use);
        out.resize(out.len().next_multiple_of(2), 0);
        out[0] = out.len() as u8;
        out
    }
}

/// The encoded folders of a view.
#[derive(Debug)]
pub(super) struct Encoded {
    /// Whole sectors per folder, in the order of [`Hierarchy::folders`].
    pub(super) folders: Vec<Vec<u8>>,
    pub(super) continuations: Vec<u8>,
}

/// Encodes folders. Their lengths do not depend on any place, so a first run with empty places gives the lengths
/// from which the places follow, and a second one the result.
#[derive(Debug)]
pub(super) struct Encoder<'a> {
    pub(super) nodes: &'a Nodes<'a>,
    pub(super) hierarchy: &'a Hierarchy,
    /// Per folder of the hierarchy.
    pub(super) folders: &'a [Place],
    /// Per node: the first sector of a file.
    pub(super) files: &'a [u32],
    pub(super) continuations: u32,
    pub(super) date: [u8; 7],
}

impl Encoder<'_> {
    pub(super) fn encode(&self) -> Encoded {
        let mut continuations = Continuations::starting_at(self.continuations);
        let folders = (0..self.hierarchy.folders.len())
            .map(|at| self.folder(at, &mut continuations))
            .collect();
        Encoded {
            folders,
            continuations: continuations.bytes,
        }
    }

    fn folder(&self, position: usize, continuations: &mut Continuations) -> Vec<u8> {
        let folder = self.hierarchy.folders[position];
        let mut out = Vec::new();
        for (identifier, of) in [(0, folder), (1, self.nodes.0[folder].parent)] {
            let announces = identifier == 0 && folder == ROOT;
            let system_use = self.rock_ridge(|| match announces {
                true => self.attributes(of).root(),
                false => self.attributes(of).dot(),
            });
            let place = self.folders[self.hierarchy.position[of]];
            append(
                &mut out,
                &Record::folder(&[identifier], place, self.date, &system_use).encode(),
            );
        }
        for &entry in &self.hierarchy.entries[position] {
            self.entry(entry, &mut out, continuations);
        }
        out.resize(out.len().next_multiple_of(SECTOR as usize), 0);
        out
    }

    fn entry(&self, place: usize, out: &mut Vec<u8>, continuations: &mut Continuations) {
        let node = &self.nodes.0[place];
        let identifier = identifier(self.nodes, self.hierarchy.view, place);
        let room = RECORD_LENGTH - (RECORD_HEADER + identifier.len()).next_multiple_of(2);
        let system_use = self.rock_ridge(|| self.attributes(place).named(node.name, room, continuations));
        match node.kind {
            Kind::Folder { .. } => {
                let place = self.folders[self.hierarchy.position[place]];
                append(
                    out,
                    &Record::folder(identifier, place, self.date, &system_use).encode(),
                );
            }
            Kind::File { size, .. } => {
                for (sector, length, flags) in sections(self.files[place], size) {
                    let date = self.date;
                    let system_use = &system_use;
                    append(
                        out,
                        &Record {
                            identifier,
                            sector,
                            length,
                            flags,
                            date,
                            system_use,
                        }
                        .encode(),
                    );
                }
            }
        }
    }

    fn rock_ridge(&self, entries: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
        if self.hierarchy.view == View::Primary {
            entries()
        } else {
            Vec::new()
        }
    }

    fn attributes(&self, place: usize) -> Attributes {
        match self.nodes.0[place].kind {
            Kind::Folder { subfolders, .. } => Attributes::folder(subfolders, self.date),
            Kind::File { .. } => Attributes::file(self.date),
        }
    }
}

/// Appends a record, in the next sector when it would cross the boundary.
fn append(out: &mut Vec<u8>, record: &[u8]) {
    let sector = SECTOR as usize;
    if out.len() % sector + record.len() > sector {
        out.resize(out.len().next_multiple_of(sector), 0);
    }
    out.extend(record);
}

/// The sections of a file as sector, length and flags; they follow each other without a gap. An empty file has one.
fn sections(first: u32, size: u64) -> impl Iterator<Item = (u32, u32, u8)> {
    (0..size.div_ceil(SECTION_LENGTH).max(1)).map(move |section| {
        let offset = section * SECTION_LENGTH;
        let length = (size - offset).min(SECTION_LENGTH);
        let flags = if offset + length < size {
            FLAG_MORE_SECTIONS
        } else {
            0
        };
        (first + (offset / SECTOR) as u32, length as u32, flags)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_contiguous() {
        assert_eq!(sections(7, 0).collect::<Vec<_>>(), [(7, 0, 0)]);
        assert_eq!(
            sections(7, SECTION_LENGTH).collect::<Vec<_>>(),
            [(7, 0xffff_f800, 0)]
        );
        let two = [(7, 0xffff_f800, FLAG_MORE_SECTIONS), (7 + 0x1f_ffff, 1, 0)];
        assert_eq!(sections(7, SECTION_LENGTH + 1).collect::<Vec<_>>(), two);
    }
}
