//! By what shim revokes programs of UEFI: the components of a program and their generations, in its section `.sbat`.
//!
//! Facts: shim, SBAT.md; PE format, "Section table (section headers)".

use goblin::pe::header::Header;

use super::NoProgram;
use super::program::OPTIONAL_HEADER;

const NAME: &[u8; 8] = b".sbat\0\0\0";
/// Bytes of an entry of the table of sections.
const ENTRY: usize = 40;
/// Real ones have some hundred bytes.
const LONGEST: usize = 64 << 10;

/// The entries of a program, each as its component and its generation: `shim,4`. None where it has no such section.
pub(super) fn entries(bytes: &[u8], header: &Header<'_>) -> Result<Vec<String>, NoProgram> {
    let coff = &header.coff_header;
    let table =
        header.dos_header.pe_pointer as usize + OPTIONAL_HEADER + usize::from(coff.size_of_optional_header);
    let sections = bytes.get(table..table + usize::from(coff.number_of_sections) * ENTRY);
    let sections = sections.ok_or_else(|| NoProgram("it is cut off".into()))?;
    let Some(section) = sections.chunks(ENTRY).find(|section| section.starts_with(NAME)) else {
        return Ok(vec![]);
    };
    let (used, stored, begin) = (number(section, 8), number(section, 16), number(section, 20));
    // The file has it in whole blocks.
    let length = if used == 0 { stored } else { stored.min(used) };
    let text = bytes.get(begin..begin + length);
    let text = text.ok_or_else(|| NoProgram("its section .sbat leads out of it".into()))?;
    if length > LONGEST {
        return Err(NoProgram(format!("its section .sbat has {length} bytes")));
    }
    Ok(lines(text))
}

fn number(section: &[u8], at: usize) -> usize {
    let bytes = section[at..at + 4].try_into().unwrap_or_default();
    u32::from_le_bytes(bytes) as usize
}

fn lines(text: &[u8]) -> Vec<String> {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let text = String::from_utf8_lossy(&text[..end]);
    let entry = |line: &str| {
        let mut fields = line.split(',');
        Some(format!("{},{}", fields.next()?, fields.next()?))
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_line_component_and_generation_count() {
        let text = b"sbat,1,SBAT Version,sbat,1,https://x\nshim,4,UEFI shim,shim,1,https://y\n\nno entry\r\n\0\0rest,1\n";
        assert_eq!(lines(text), ["sbat,1", "shim,4"]);
        assert_eq!(lines(b"grub,5,F"), ["grub,5"]);
        assert!(lines(b"").is_empty());
    }
}
