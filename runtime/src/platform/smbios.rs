//! What the firmware says of the machine (DMTF DSP0134, System Management BIOS).

/// What task sequences ask for; texts are empty and lists have no entry where the firmware says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Smbios {
    /// Version of the tables: major, minor.
    pub specification: (u8, u8),
    /// Vendor of the firmware.
    pub bios_vendor: String,
    /// Version of the firmware.
    pub bios_version: String,
    /// Day of its release, MM/DD/YYYY.
    pub bios_date: String,
    /// Make of the machine.
    pub make: String,
    /// Model of the machine.
    pub model: String,
    /// Version of the model.
    pub version: String,
    /// Serial number.
    pub serial: String,
    /// UUID, in upper case.
    pub uuid: String,
    /// What the model is ordered by.
    pub sku: String,
    /// The models that it belongs to.
    pub family: String,
    /// Make of the board.
    pub board_make: String,
    /// Model of the board.
    pub board_model: String,
    /// Version of the board.
    pub board_version: String,
    /// Serial number of the board.
    pub board_serial: String,
    /// Asset tag of the chassis.
    pub asset_tag: String,
    /// The chassis; a machine may stand in several.
    pub enclosures: Vec<Enclosure>,
    /// Sockets that have a processor.
    pub processors: Vec<Processor>,
    /// Slots that have memory.
    pub memory: Vec<MemoryDevice>,
    /// Portable batteries.
    pub batteries: Vec<Battery>,
}

/// A chassis (structure 3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enclosure {
    /// Its make.
    pub make: String,
    /// Its type: 3 a desktop, 9 and 10 laptops, 31 a convertible.
    pub kind: u8,
    /// Its version.
    pub version: String,
    /// Its serial number.
    pub serial: String,
    /// Its asset tag.
    pub asset_tag: String,
}

/// A processor in its socket (structure 4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processor {
    /// Its cores; 0 where that is not said.
    pub cores: u16,
    /// Its threads; 0 where that is not said.
    pub threads: u16,
    /// Its highest speed in MHz.
    pub max_speed: u16,
}

/// A memory module in its slot (structure 17).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryDevice {
    /// Its bytes.
    pub size: u64,
    /// The slot.
    pub slot: String,
    /// Its speed in MT/s.
    pub speed: u16,
    /// Its make.
    pub make: String,
    /// Its serial number.
    pub serial: String,
    /// Its part number.
    pub part: String,
}

/// A battery (structure 22).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Battery {
    /// Its place.
    pub location: String,
    /// Its name.
    pub name: String,
}

/// Length of what Windows puts before the tables (`RawSMBIOSData`); the version is in it.
const HEADER: usize = 8;

/// Reads the tables as `GetSystemFirmwareTable` gives them.
pub fn of_windows(raw: &[u8]) -> Smbios {
    let version = |index: usize| raw.get(index).copied().unwrap_or_default();
    parse(raw.get(HEADER..).unwrap_or_default(), (version(1), version(2)))
}

/// Reads the tables and the entry point as Linux shows them (DSP0134, 5.2).
pub fn of_linux(tables: &[u8], entry_point: &[u8]) -> Smbios {
    let at = if entry_point.starts_with(b"_SM3_") { 7 } else { 6 };
    let version = |index: usize| entry_point.get(index).copied().unwrap_or_default();
    parse(tables, (version(at), version(at + 1)))
}

/// What is cut off or wrong ends the reading.
fn parse(tables: &[u8], specification: (u8, u8)) -> Smbios {
    let mut found = Smbios {
        specification,
        ..Smbios::default()
    };
    let mut rest = tables;
    while let Some((structure, after)) = next(rest) {
        structure.tell(&mut found);
        rest = after;
    }
    found
}

struct Structure<'a> {
    kind: u8,
    fields: &'a [u8],
    texts: Vec<&'a [u8]>,
}

fn next(bytes: &[u8]) -> Option<(Structure<'_>, &[u8])> {
    const END_OF_TABLE: u8 = 127;
    let (kind, length) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    if kind == END_OF_TABLE || length < 4 {
        return None;
    }
    let (fields, texts) = (bytes.get(..length)?, bytes.get(length..)?);
    let end = texts.windows(2).position(|pair| pair == [0, 0])?;
    let structure = Structure {
        kind,
        fields,
        texts: texts[..end].split(|byte| *byte == 0).collect(),
    };
    Some((structure, &texts[end + 2..]))
}

impl Structure<'_> {
    fn tell(&self, found: &mut Smbios) {
        match self.kind {
            0 => {
                (found.bios_vendor, found.bios_version) = (self.text(4), self.text(5));
                found.bios_date = self.text(8);
            }
            1 => {
                (found.make, found.model) = (self.text(4), self.text(5));
                (found.version, found.serial) = (self.text(6), self.text(7));
                found.uuid = self.uuid(8);
                (found.sku, found.family) = (self.text(25), self.text(26));
            }
            2 => {
                (found.board_make, found.board_model) = (self.text(4), self.text(5));
                (found.board_version, found.board_serial) = (self.text(6), self.text(7));
            }
            3 => {
                found.asset_tag = self.text(8);
                found.enclosures.push(self.enclosure());
            }
            4 => found.processors.extend(self.processor()),
            17 => found.memory.extend(self.memory()),
            22 => found.batteries.push(Battery {
                location: self.text(4),
                name: self.text(8),
            }),
            _ => {}
        }
    }

    fn enclosure(&self) -> Enclosure {
        Enclosure {
            make: self.text(4),
            // The highest bit says that it has a lock.
            kind: self.byte(5) & 0x7F,
            version: self.text(6),
            serial: self.text(7),
            asset_tag: self.text(8),
        }
    }

    fn processor(&self) -> Option<Processor> {
        let is_there = self.byte(24) & 0x40 != 0;
        // 255 says that the number is in the longer field.
        let count = |short: usize, long: usize| match self.byte(short) {
            255 => self.word(long),
            count => u16::from(count),
        };
        is_there.then(|| Processor {
            cores: count(35, 42),
            threads: count(37, 46),
            max_speed: self.word(20),
        })
    }

    fn memory(&self) -> Option<MemoryDevice> {
        let size = match self.word(12) {
            0 | 0xFFFF => return None,
            0x7FFF => (u64::from(self.word(28)) | u64::from(self.word(30) & 0x7FFF) << 16) << 20,
            kilobytes if kilobytes & 0x8000 != 0 => u64::from(kilobytes & 0x7FFF) << 10,
            megabytes => u64::from(megabytes) << 20,
        };
        Some(MemoryDevice {
            size,
            slot: self.text(16),
            speed: self.word(21),
            make: self.text(23),
            serial: self.text(24),
            part: self.text(26),
        })
    }

    fn byte(&self, field: usize) -> u8 {
        self.fields.get(field).copied().unwrap_or_default()
    }

    fn word(&self, field: usize) -> u16 {
        u16::from_le_bytes([self.byte(field), self.byte(field + 1)])
    }

    /// The text whose number, from 1, stands in that field.
    fn text(&self, field: usize) -> String {
        let text = usize::from(self.byte(field))
            .checked_sub(1)
            .and_then(|index| self.texts.get(index));
        text.map(|text| String::from_utf8_lossy(text).trim().to_owned())
            .unwrap_or_default()
    }

    fn uuid(&self, field: usize) -> String {
        let bytes = self.fields.get(field..field + 16);
        let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        match bytes {
            // The first three parts are little-endian since version 2.6, which is older than any Windows that we run in.
            Some(bytes) if bytes != [0; 16] && bytes != [0xFF; 16] => {
                uuid::Uuid::from_bytes_le(bytes).to_string().to_uppercase()
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words at their places, and the texts with what ends each.
    fn structure(kind: u8, length: u8, words: &[(usize, u16)], texts: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; usize::from(length)];
        (bytes[0], bytes[1]) = (kind, length);
        for (place, word) in words {
            bytes[*place..place + 2].copy_from_slice(&word.to_le_bytes());
        }
        [&bytes, texts, b"\0"].concat()
    }

    fn table() -> Vec<u8> {
        let mut raw = vec![0; HEADER];
        raw.extend([0, 6, 0, 0, 1, 2]);
        raw.extend(b"Maker of firmware\0v1.2\0\0");
        raw.extend([1, 24, 1, 0, 1, 2, 0, 3]);
        raw.extend([
            0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
        ]);
        raw.extend(b"Maker\0Model 7420 \0SERIAL\0\0");
        // Without any text of its own.
        raw.extend([32, 4, 0, 0, 0, 0]);
        raw.extend([3, 9, 2, 0, 0, 0x89, 0, 0, 1]);
        raw.extend(b"ASSET\0\0");
        // A processor of 300 cores, an empty socket, memory of 64 GiB and of 512 MiB, an empty slot, a battery.
        raw.extend(structure(
            4,
            48,
            &[(20, 4200), (24, 0x41), (35, 255), (37, 32), (42, 300)],
            b"\0",
        ));
        raw.extend(structure(4, 48, &[(24, 0)], b"\0"));
        raw.extend(structure(
            17,
            34,
            &[(12, 0x7FFF), (16, 1), (21, 3200), (30, 1)],
            b"DIMM A\0",
        ));
        raw.extend(structure(17, 34, &[(12, 512)], b"\0"));
        raw.extend(structure(17, 34, &[(12, 0)], b"\0"));
        raw.extend(structure(22, 10, &[(4, 0x0201), (8, 2)], b"Rear\0Battery\0"));
        raw.extend([127, 4, 3, 0, 0, 0]);
        raw
    }

    #[test]
    fn texts_and_uuid_are_found() {
        let found = of_windows(&table());
        let text = [&found.bios_vendor, &found.make, &found.model, &found.serial];
        assert_eq!(text, ["Maker of firmware", "Maker", "Model 7420", "SERIAL"]);
        assert_eq!((found.version.as_str(), found.asset_tag.as_str()), ("", "ASSET"));
        assert_eq!(found.uuid, "00112233-4455-6677-8899-AABBCCDDEEFF");
    }

    #[test]
    fn what_is_in_sockets_and_slots_is_found() {
        let found = of_windows(&table());
        let [processor] = &found.processors[..] else {
            panic!("{:?}", found.processors)
        };
        assert_eq!(
            (processor.cores, processor.threads, processor.max_speed),
            (300, 32, 4200)
        );
        let sizes: Vec<u64> = found.memory.iter().map(|module| module.size).collect();
        assert_eq!(sizes, [64 << 30, 512 << 20]);
        assert_eq!(
            (found.memory[0].slot.as_str(), found.memory[0].speed),
            ("DIMM A", 3200)
        );
        assert_eq!(found.batteries[0].name, "Battery");
        assert_eq!(found.enclosures[0].kind, 9);
    }

    #[test]
    fn a_table_that_is_cut_anywhere_is_read_as_far_as_it_goes() {
        let whole = table();
        for length in 0..whole.len() {
            let found = of_windows(&whole[..length]);
            assert!(found.make.is_empty() || found.make == "Maker");
        }
        assert_eq!(parse(&[0xFF; 64], (0, 0)), Smbios::default());
    }
}
