//! Volume descriptors.

use super::directory::{Place, Record, View};
use super::moment::Moment;
use super::names::utf16_big_endian;
use super::rock_ridge::both_endian_32;
use super::{Error, Params, SECTOR};

/// The sector of the first volume descriptor.
pub(super) const FIRST: u32 = 16;

/// What a primary or supplementary descriptor refers to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Volume {
    pub(super) sectors: u32,
    pub(super) root: Place,
    pub(super) path_table_length: u32,
    pub(super) little_endian_table: u32,
    pub(super) big_endian_table: u32,
}

/// A descriptor of one sector with its header.
fn header(kind: u8) -> Vec<u8> {
    let mut out = vec![0; SECTOR as usize];
    out[0] = kind;
    out[1..6].copy_from_slice(b"CD001");
    out[6] = 1;
    out
}

/// Ends the list of descriptors.
pub(super) fn terminator() -> Vec<u8> {
    header(255)
}

/// Leads to the boot catalog.
pub(super) fn boot_record(catalog: u32) -> Vec<u8> {
    let mut out = header(0);
    put(&mut out, 7, b"EL TORITO SPECIFICATION");
    put(&mut out, 71, &catalog.to_le_bytes());
    out
}

/// The primary descriptor or that of Joliet.
pub(super) fn descriptor(view: View, params: &Params, volume: &Volume, moment: Moment) -> Vec<u8> {
    let mut out = header(if view == View::Primary { 1 } else { 2 });
    texts(&mut out, view, params);
    if view == View::Joliet {
        put(&mut out, 88, b"%/E"); // UCS-2, level 3
    }
    put(&mut out, 80, &both_endian_32(volume.sectors));
    for (at, value) in [(120, 1), (124, 1), (128, SECTOR as u16)] {
        put(&mut out, at, &both_endian_16(value));
    }
    put(&mut out, 132, &both_endian_32(volume.path_table_length));
    put(&mut out, 140, &volume.little_endian_table.to_le_bytes());
    put(&mut out, 148, &volume.big_endian_table.to_be_bytes());
    put(
        &mut out,
        156,
        &Record::folder(&[0], volume.root, moment.record(), &[]).encode(),
    );
    let mut never = [b'0'; 17];
    never[16] = 0;
    let written = moment.volume();
    for (at, date) in [(813, written), (830, written), (847, never), (864, written)] {
        put(&mut out, at, &date);
    }
    out[881] = 1;
    out
}

fn texts(out: &mut [u8], view: View, params: &Params) {
    let fields = [
        (8, 32, params.system_id.as_str()),
        (40, 32, &params.volume_id),
        (190, 128, &params.volume_set_id),
        (318, 128, &params.publisher),
        (446, 128, ""), // preparer
        (574, 128, &params.application),
        (702, 37, ""), // names of the copyright, abstract and bibliographic files
        (739, 37, ""),
        (776, 37, ""),
    ];
    for (at, length, text) in fields {
        let field = &mut out[at..at + length];
        match view {
            View::Primary => fill(field, text.as_bytes(), b" "),
            View::Joliet => fill(field, &utf16_big_endian(text), b"\0 "),
        }
    }
}

/// Copies as much of `text` as fits and pads with `pad`.
fn fill(field: &mut [u8], text: &[u8], pad: &[u8]) {
    let whole = field.len() / pad.len() * pad.len();
    let bytes = text.iter().copied().chain(pad.iter().copied().cycle());
    // The padding is aligned: a text in UTF-16 has an even length.
    field[..whole]
        .iter_mut()
        .zip(bytes)
        .for_each(|(slot, byte)| *slot = byte);
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

fn both_endian_16(value: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d]
}

/// Checks the texts of the parameters against their fields.
pub(super) fn check_texts(params: &Params) -> Result<(), Error> {
    const D32: &str = "1 to 32 characters of A-Z, 0-9 and _";
    const D128: &str = "at most 128 characters of A-Z, 0-9 and _";
    const A32: &str = "at most 32 characters of A-Z, 0-9, _, space and !\"%&'()*+,-./:;<=>?";
    const A128: &str = "at most 128 characters of A-Z, 0-9, _, space and !\"%&'()*+,-./:;<=>?";
    let d_characters = [
        ("volume id", &params.volume_id, 1..=32, D32),
        ("volume set id", &params.volume_set_id, 0..=128, D128),
    ];
    let a_characters = [
        ("system id", &params.system_id, 0..=32, A32),
        ("publisher", &params.publisher, 0..=128, A128),
        ("application", &params.application, 0..=128, A128),
    ];
    let d_characters = d_characters.map(|field| (field, is_d_character as fn(u8) -> bool));
    let a_characters = a_characters.map(|field| (field, is_a_character as fn(u8) -> bool));
    for ((field, value, lengths, allowed), legal) in d_characters.into_iter().chain(a_characters) {
        if !lengths.contains(&value.len()) || !value.bytes().all(legal) {
            return Err(Error::Field {
                field,
                value: value.to_owned(),
                allowed,
            });
        }
    }
    Ok(())
}

fn is_d_character(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_')
}

fn is_a_character(byte: u8) -> bool {
    is_d_character(byte) || b" !\"%&'()*+,-./:;<=>?".contains(&byte)
}
