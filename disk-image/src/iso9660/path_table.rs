//! Path tables: every folder with its sector and the number of its parent.

use super::Error;
use super::directory::{Hierarchy, Place, identifier};
use super::nodes::Nodes;

/// The two byte orders of a path table.
#[derive(Debug)]
pub(super) struct PathTables {
    pub(super) little_endian: Vec<u8>,
    pub(super) big_endian: Vec<u8>,
}

/// Bytes of one table.
pub(super) fn length(nodes: &Nodes, hierarchy: &Hierarchy) -> u64 {
    let record = |folder: &usize| {
        8 + identifier(nodes, hierarchy.view, *folder)
            .len()
            .next_multiple_of(2)
    };
    hierarchy.folders.iter().map(record).sum::<usize>() as u64
}

pub(super) fn encode(nodes: &Nodes, hierarchy: &Hierarchy, places: &[Place]) -> Result<PathTables, Error> {
    let mut tables = PathTables {
        little_endian: Vec::new(),
        big_endian: Vec::new(),
    };
    for (folder, place) in hierarchy.folders.iter().zip(places) {
        let name = identifier(nodes, hierarchy.view, *folder);
        let parent = u16::try_from(hierarchy.position[nodes.0[*folder].parent] + 1).map_err(|_| {
            Error::TooManyFolders {
                path: nodes.path(*folder),
            }
        })?;
        append(
            &mut tables.little_endian,
            name,
            place.sector.to_le_bytes(),
            parent.to_le_bytes(),
        );
        append(
            &mut tables.big_endian,
            name,
            place.sector.to_be_bytes(),
            parent.to_be_bytes(),
        );
    }
    Ok(tables)
}

fn append(table: &mut Vec<u8>, name: &[u8], sector: [u8; 4], parent: [u8; 2]) {
    table.extend([name.len() as u8, 0]);
    table.extend(sector);
    table.extend(parent);
    table.extend(name);
    table.resize(table.len().next_multiple_of(2), 0);
}
