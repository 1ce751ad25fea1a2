//! ISO 9660 with Rock Ridge names; Joliet as a second view that must show the same files.

use std::collections::BTreeMap;

use super::device::{Device, ReadError, Run, array, u16_at, u32_at};
use super::el_torito::{self, BootEntry};
use super::rock_ridge;
use super::volume::{Kind, Node, Place, Volume, collect};

pub(super) const SECTOR: u64 = 2048;
/// More volume descriptors than this are an attack.
const MAX_DESCRIPTORS: u64 = 64;
const MAX_FOLDER: u64 = 256 << 20;
const ROOT_RECORD: usize = 156;
const FOLDER: u8 = 0x02;
const MORE_EXTENTS: u8 = 0x80;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Primary,
    Joliet,
}

/// One tree of an ISO 9660 image.
pub struct Iso {
    device: Device,
    label: String,
    root: Node,
    names: Names,
    /// The root folder of the second tree.
    joliet: Option<Node>,
    boot: Vec<BootEntry>,
    problems: Vec<String>,
}

impl Iso {
    /// Whether an image looks like ISO 9660.
    pub fn is_here(device: &Device) -> bool {
        device
            .bytes(16 * SECTOR, 6)
            .is_ok_and(|bytes| &bytes[1..6] == b"CD001")
    }

    /// Opens the image.
    ///
    /// # Errors
    /// When its descriptors break the rules.
    pub fn open(device: Device) -> Result<Self, ReadError> {
        let (mut primary, mut joliet, mut catalog, mut complete) = (None, None, None, false);
        for number in 16..16 + MAX_DESCRIPTORS {
            let bytes = device.bytes(number * SECTOR, SECTOR)?;
            match bytes[0] {
                _ if &bytes[1..6] != b"CD001" => break,
                0 if bytes[7..].starts_with(b"EL TORITO SPECIFICATION") => catalog = Some(u32_at(&bytes, 71)),
                1 if primary.is_none() => primary = Some(bytes),
                2 if is_joliet(&bytes) => joliet = Some(bytes),
                255 => {
                    complete = true;
                    break;
                }
                _ => {}
            }
        }
        let missing = || {
            device.damaged(
                "volume descriptors",
                16 * SECTOR,
                "none is the primary one".into(),
            )
        };
        let primary = primary.ok_or_else(missing)?;
        let mut problems = check_descriptor(&device, &primary);
        if !complete {
            problems.push("the list of volume descriptors has no end".into());
        }
        let boot = match catalog {
            Some(sector) => el_torito::read(&device, sector, &mut problems)?,
            None => vec![],
        };
        Ok(Self {
            label: String::from_utf8_lossy(&primary[40..72]).trim_end().to_owned(),
            root: root_of(&device, &primary)?,
            joliet: joliet
                .map(|descriptor| root_of(&device, &descriptor))
                .transpose()?,
            names: Names::Primary,
            device,
            boot,
            problems,
        })
    }

    /// The entries of its boot catalogue.
    pub fn boot_entries(&self) -> &[BootEntry] {
        &self.boot
    }

    /// The Joliet tree as a volume of its own.
    pub fn joliet(&self) -> Option<Self> {
        Some(Self {
            device: self.device.clone(),
            label: self.label.clone(),
            root: self.joliet.clone()?,
            names: Names::Joliet,
            joliet: None,
            boot: vec![],
            problems: vec![],
        })
    }

    fn record(&self, record: &[u8]) -> Result<(Node, bool), String> {
        let system_use = 33 + usize::from(record[32]);
        let name = record.get(33..system_use).ok_or("its name leaves its record")?;
        let mut node = node_of(&self.device, record)?;
        node.name = match self.names {
            Names::Joliet => utf16_big_endian(name),
            Names::Primary => String::from_utf8_lossy(name).into_owned(),
        };
        if let Some((stem, _version)) = node.name.rsplit_once(';') {
            node.name.truncate(stem.len());
        }
        if self.names == Names::Primary {
            // The system use area starts on an even byte.
            let area = record.get(system_use + (system_use & 1)..).unwrap_or_default();
            rock_ridge::apply(&self.device, area, &mut node).map_err(|error| error.to_string())?;
        }
        Ok((node, record[25] & MORE_EXTENTS != 0))
    }

    /// Every file of the tree with the places of its bytes.
    fn files(&self) -> Result<BTreeMap<String, (u64, Vec<Run>)>, ReadError> {
        let mut files = BTreeMap::new();
        for found in self
            .walk()?
            .into_iter()
            .filter(|found| found.node.kind == Kind::File)
        {
            files.insert(found.path, (found.node.size, self.runs(&found.node)?));
        }
        Ok(files)
    }

    fn compare_joliet(&self, joliet: &Self) -> Result<Vec<String>, ReadError> {
        // Joliet cuts names after 64 units (and many writers allow 103), so places are compared, not names.
        let places = |files: BTreeMap<String, (u64, Vec<Run>)>| {
            let mut places: Vec<_> = files.into_values().filter(|(size, _)| *size > 0).collect();
            places.sort_by_key(|(size, runs)| (*size, runs.first().and_then(|run| run.offset)));
            places
        };
        let same = places(self.files()?) == places(joliet.files()?);
        Ok(if same {
            vec![]
        } else {
            vec!["the Joliet tree does not show the same files".into()]
        })
    }
}

impl Volume for Iso {
    fn label(&self) -> &str {
        &self.label
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn root(&self) -> Node {
        self.root.clone()
    }

    fn list(&self, folder: &Node) -> Result<Vec<Node>, ReadError> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut unfinished = false;
        for (offset, record) in records(&self.device, folder)? {
            // "." and ".." are named by one byte.
            if record[32] == 1 && record[33] <= 1 {
                continue;
            }
            let damaged = |why| self.device.damaged("folder record", offset, why);
            let (node, more) = self.record(&record).map_err(damaged)?;
            match nodes.last_mut() {
                Some(last) if unfinished && last.name == node.name => append(last, node),
                _ if unfinished => return Err(damaged("a file's next extent is missing".into())),
                _ => nodes.push(node),
            }
            unfinished = more;
        }
        Ok(nodes)
    }

    fn runs(&self, file: &Node) -> Result<Vec<Run>, ReadError> {
        match &file.place {
            Place::Runs(runs) => Ok(runs.clone()),
            Place::Clusters { .. } => Ok(vec![]),
        }
    }

    fn ignores_case(&self) -> bool {
        self.names == Names::Joliet
    }

    fn check(&self) -> Vec<String> {
        let joliet = self.joliet().map(|joliet| self.compare_joliet(&joliet));
        collect([Ok(self.problems.clone())].into_iter().chain(joliet))
    }
}

fn append(file: &mut Node, part: Node) {
    if let (Place::Runs(runs), Place::Runs(more)) = (&mut file.place, part.place) {
        runs.extend(more);
    }
    file.size = file.size.saturating_add(part.size);
}

/// The records of a folder with their places.
fn records(device: &Device, folder: &Node) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
    let Place::Runs(runs) = &folder.place else {
        return Ok(vec![]);
    };
    let mut records = Vec::new();
    for run in runs {
        let Some(start) = run.offset else { continue };
        if run.length > MAX_FOLDER {
            return Err(device.damaged("folder", start, format!("its {} bytes are too many", run.length)));
        }
        let bytes = device.bytes(start, run.length)?;
        let mut at = 0;
        while let Some(length) = bytes.get(at).map(|length| usize::from(*length)) {
            // A record never crosses a sector: the rest of one is zero.
            if length == 0 {
                at = (at / SECTOR as usize + 1) * SECTOR as usize;
                continue;
            }
            let record = bytes.get(at..at + length).filter(|record| record.len() > 33);
            let missing =
                || device.damaged("folder record", start + at as u64, "it leaves the folder".into());
            records.push((start + at as u64, record.ok_or_else(missing)?.to_vec()));
            at += length;
        }
    }
    Ok(records)
}

fn root_of(device: &Device, descriptor: &[u8]) -> Result<Node, ReadError> {
    let record = &descriptor[ROOT_RECORD..ROOT_RECORD + 34];
    node_of(device, record).map_err(|why| device.damaged("root folder", 16 * SECTOR, why))
}

/// Place and kind of a record, whose numbers stand in both byte orders.
fn node_of(device: &Device, record: &[u8]) -> Result<Node, String> {
    let (sector, size) = (both_u32(record, 2)?, both_u32(record, 10)?);
    if record[26] != 0 || record[27] != 0 {
        return Err("interleaved files are not supported".into());
    }
    let offset = u64::from(sector) * SECTOR + u64::from(record[1]) * SECTOR;
    let length = u64::from(size);
    if length > 0 {
        device.window(offset, length).map_err(|error| error.to_string())?;
    }
    let is_folder = record[25] & FOLDER != 0;
    Ok(Node {
        name: String::new(),
        kind: if is_folder { Kind::Folder } else { Kind::File },
        size: if is_folder { 0 } else { length },
        place: Place::Runs(vec![Run {
            offset: Some(offset),
            length,
        }]),
        attributes: 0,
    })
}

fn both_u32(bytes: &[u8], at: usize) -> Result<u32, String> {
    let little = u32_at(bytes, at);
    match little == u32::from_be_bytes(array(bytes, at + 4)) {
        true => Ok(little),
        false => Err(format!(
            "the two byte orders of the number at its byte {at} differ"
        )),
    }
}

fn check_descriptor(device: &Device, primary: &[u8]) -> Vec<String> {
    let mut problems = Vec::new();
    match both_u32(primary, 80) {
        Ok(sectors) if u64::from(sectors) * SECTOR > device.length() => {
            problems.push(format!(
                "the image is shorter than the {sectors} sectors that it names: it was cut"
            ));
        }
        Ok(_) => {}
        Err(why) => problems.push(format!("the primary volume descriptor: {why}")),
    }
    let block = (u16_at(primary, 128), u16::from_be_bytes(array(primary, 130)));
    if block != (2048, 2048) {
        problems.push(format!(
            "the primary volume descriptor: its blocks have {block:?} bytes, not 2048"
        ));
    }
    if primary[6] != 1 || primary[881] != 1 {
        problems.push("the primary volume descriptor: its version is not 1".into());
    }
    problems
}

fn is_joliet(descriptor: &[u8]) -> bool {
    matches!(&descriptor[88..91], b"%/@" | b"%/C" | b"%/E")
}

fn utf16_big_endian(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_be_bytes(array(unit, 0)))
        .collect();
    String::from_utf16_lossy(&units)
}
