//! What the firmware says of the machine (DMTF DSP0134, System Management BIOS).

/// The texts that task sequences ask for; empty where the firmware has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Smbios {
    /// Vendor of the firmware.
    pub bios_vendor: String,
    /// Version of the firmware.
    pub bios_version: String,
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
    /// Make of the board.
    pub board_make: String,
    /// Model of the board.
    pub board_model: String,
    /// Serial number of the board.
    pub board_serial: String,
    /// Asset tag of the chassis.
    pub asset_tag: String,
}

/// Length of what Windows puts before the tables (`RawSMBIOSData`).
const HEADER: usize = 8;

/// Reads the tables as `GetSystemFirmwareTable` gives them. What is cut off or wrong ends the reading.
pub fn parse(raw: &[u8]) -> Smbios {
    let mut found = Smbios::default();
    let mut rest = raw.get(HEADER..).unwrap_or_default();
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
            0 => (found.bios_vendor, found.bios_version) = (self.text(4), self.text(5)),
            1 => {
                (found.make, found.model) = (self.text(4), self.text(5));
                (found.version, found.serial) = (self.text(6), self.text(7));
                found.uuid = self.uuid(8);
            }
            2 => {
                (found.board_make, found.board_model) = (self.text(4), self.text(5));
                found.board_serial = self.text(7);
            }
            3 => found.asset_tag = self.text(8),
            _ => {}
        }
    }

    /// The text whose number, from 1, stands in that field.
    fn text(&self, field: usize) -> String {
        let number = self.fields.get(field).copied().unwrap_or(0);
        let text = usize::from(number)
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
        raw.extend([3, 9, 2, 0, 0, 0, 0, 0, 1]);
        raw.extend(b"ASSET\0\0");
        raw.extend([127, 4, 3, 0, 0, 0]);
        raw
    }

    #[test]
    fn texts_and_uuid_are_found() {
        let found = parse(&table());
        let text = [&found.bios_vendor, &found.make, &found.model, &found.serial];
        assert_eq!(text, ["Maker of firmware", "Maker", "Model 7420", "SERIAL"]);
        assert_eq!((found.version.as_str(), found.asset_tag.as_str()), ("", "ASSET"));
        assert_eq!(found.uuid, "00112233-4455-6677-8899-AABBCCDDEEFF");
    }

    #[test]
    fn a_table_that_is_cut_anywhere_is_read_as_far_as_it_goes() {
        let whole = table();
        for length in 0..whole.len() {
            let found = parse(&whole[..length]);
            assert!(found.make.is_empty() || found.make == "Maker");
        }
        assert_eq!(parse(&[0xFF; 64]), Smbios::default());
    }
}
