//! The volume's own table of upper-case letters.

use crate::names::upcase;

/// The mark before the length of a run of characters that map to themselves.
const RUN: u16 = 0xFFFF;

/// Characters at the beginning that are always spelled out.
const MANDATORY: u32 = 128;

/// The table in its compressed form.
pub(super) fn table() -> Vec<u8> {
    let mut units = Vec::with_capacity(3000);
    let mut code = 0;
    while code <= 0xFFFF {
        let run = if code < MANDATORY { 0 } else { identity_run(code) };
        // The last code is the mark itself: only a run can say it.
        if run > 2 || code == 0xFFFF {
            units.extend([RUN, run as u16]);
            code += run;
        } else {
            units.push(upper(code));
            code += 1;
        }
    }
    units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
}

fn identity_run(code: u32) -> u32 {
    (code..=0xFFFF)
        .take_while(|&code| u32::from(upper(code)) == code)
        .count() as u32
}

/// Half of a surrogate pair has no upper case of its own.
fn upper(code: u32) -> u16 {
    char::from_u32(code).map_or(code, |c| u32::from(upcase(c))) as u16
}

/// The checksum that the table's directory entry carries.
pub(super) fn checksum(table: &[u8]) -> u32 {
    table.iter().fold(0_u32, |sum, byte| {
        sum.rotate_right(1).wrapping_add(u32::from(*byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a driver makes of the table.
    fn expand(table: &[u8]) -> Vec<u16> {
        let mut units = table.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let mut expanded = Vec::new();
        while let Some(unit) = units.next() {
            if unit == RUN {
                let start = expanded.len() as u32;
                let run = u32::from(units.next().expect("a length follows"));
                expanded.extend((start..start + run).map(|code| code as u16));
            } else {
                expanded.push(unit);
            }
        }
        expanded
    }

    #[test]
    fn covers_every_unit_once() {
        let table = table();
        let expanded = expand(&table);
        assert_eq!(expanded.len(), 0x1_0000);
        for (code, unit) in (0..).zip(expanded) {
            assert_eq!(unit, upper(code), "{code:#x}");
        }
        assert!(table.len() < 8192, "{} bytes", table.len());
    }

    #[test]
    fn begins_with_the_mandatory_entries() {
        let table = table();
        for code in 0..128_u8 {
            let unit = [table[usize::from(code) * 2], table[usize::from(code) * 2 + 1]];
            assert_eq!(unit, [code.to_ascii_uppercase(), 0]);
        }
    }
}
