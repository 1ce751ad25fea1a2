//! Rock Ridge (RRIP 1.09) entries of the system use field: names, modes and dates of POSIX.

use super::SECTOR;

/// The largest even length of a directory record.
pub(super) const RECORD_LENGTH: usize = 254;
const CE_LENGTH: usize = 28;
/// Name bytes that one NM entry holds: its length is a byte and its header has 5.
const NM_BYTES: usize = 250;

const FOLDER_MODE: u32 = 0o040_555;
const FILE_MODE: u32 = 0o100_555;

/// What Rock Ridge says of a file or folder beside its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    mode: u32,
    links: u32,
    date: [u8; 7],
}

impl Attributes {
    pub(super) fn file(date: [u8; 7]) -> Self {
        Self {
            mode: FILE_MODE,
            links: 1,
            date,
        }
    }

    pub(super) fn folder(subfolders: usize, date: [u8; 7]) -> Self {
        Self {
            mode: FOLDER_MODE,
            links: u32::try_from(subfolders + 2).unwrap_or(u32::MAX),
            date,
        }
    }

    /// PX and TF, after an RR that announces them.
    fn entries(self, named: bool) -> Vec<u8> {
        let mut out = entry(b"RR", &[if named { 0x89 } else { 0x81 }]);
        let values = [self.mode, self.links, 0, 0]; // owner and group: root
        out.extend(entry(b"PX", &values.map(both_endian_32).concat()));
        let mut modified = vec![0x02];
        modified.extend(self.date);
        out.extend(entry(b"TF", &modified));
        out
    }

    /// The system use field of the entry `.` of the root folder, which also announces Rock Ridge.
    pub(super) fn root(self) -> Vec<u8> {
        let mut out = entry(b"SP", &[0xbe, 0xef, 0]);
        out.extend(self.entries(false));
        let mut extension = vec![10, 0, 0, 1];
        extension.extend(b"RRIP_1991A");
        out.extend(entry(b"ER", &extension));
        out
    }

    /// The system use field of the entries `.` and `..`.
    pub(super) fn dot(self) -> Vec<u8> {
        self.entries(false)
    }

    /// The system use field of an entry with a name, in at most `room` bytes; a name that does not fit goes to
    /// the continuations.
    pub(super) fn named(self, name: &str, room: usize, continuations: &mut Continuations) -> Vec<u8> {
        let mut out = self.entries(true);
        let names = name_entries(name);
        if out.len() + names.len() <= room {
            out.extend(names);
        } else {
            debug_assert!(out.len() + CE_LENGTH <= room, "no room for a continuation");
            out.extend(continuations.push(&names));
        }
        out
    }
}

fn name_entries(name: &str) -> Vec<u8> {
    let mut chunks = name.as_bytes().chunks(NM_BYTES).peekable();
    let mut out = Vec::with_capacity(name.len() + 10);
    while let Some(chunk) = chunks.next() {
        let continued = u8::from(chunks.peek().is_some());
        out.extend(entry(b"NM", &[&[continued], chunk].concat()));
    }
    out
}

/// An entry of version 1.
fn entry(signature: &[u8; 2], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 4);
    out.extend(signature);
    out.extend([(data.len() + 4) as u8, 1]); // callers keep data below 251 bytes
    out.extend(data);
    out
}

/// A number in little-endian and then in big-endian order.
pub(super) fn both_endian_32(value: u32) -> [u8; 8] {
    let mut out = [0; 8];
    out[..4].copy_from_slice(&value.to_le_bytes());
    out[4..].copy_from_slice(&value.to_be_bytes());
    out
}

/// The areas to which CE entries lead.
#[derive(Debug)]
pub(super) struct Continuations {
    sector: u32,
    /// Their bytes, from `sector` on.
    pub(super) bytes: Vec<u8>,
}

impl Continuations {
    pub(super) fn starting_at(sector: u32) -> Self {
        Self {
            sector,
            bytes: Vec::new(),
        }
    }

    /// Stores an area, which must not cross a sector boundary, and returns the CE entry that leads to it.
    fn push(&mut self, area: &[u8]) -> Vec<u8> {
        let sector = SECTOR as usize;
        if self.bytes.len() % sector + area.len() > sector {
            self.bytes.resize(self.bytes.len().next_multiple_of(sector), 0);
        }
        let place = self.bytes.len();
        self.bytes.extend(area);
        let values = [
            self.sector + (place / sector) as u32,
            (place % sector) as u32,
            area.len() as u32,
        ];
        entry(b"CE", &values.map(both_endian_32).concat())
    }
}
