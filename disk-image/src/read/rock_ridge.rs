//! Rock Ridge: names and symbolic links in the system use area of a folder's record.

use super::device::{Device, ReadError, u32_at};
use super::iso::SECTOR;
use super::volume::{Kind, Node};

/// Continuation areas that one record may have.
const MAX_CONTINUATIONS: usize = 32;
/// Linux reads a continuation only inside of one block.
const MAX_AREA: u64 = SECTOR;
/// Bytes of a name and of a link's target, as in every Unix: many records can lead to the same continuations.
const MAX_NAME: usize = 255;
const MAX_TARGET: usize = 4096;
const CONTINUES: u8 = 0x01;
const CURRENT: u8 = 0x02;
const PARENT: u8 = 0x04;
const ROOT: u8 = 0x08;

/// Gives a node the name and kind that its system use area tells.
pub(super) fn apply(device: &Device, area: &[u8], node: &mut Node) -> Result<(), ReadError> {
    let (mut name, mut link) = (Vec::new(), None);
    let mut area = area.to_vec();
    let damaged = |why: &str| device.damaged("Rock Ridge", 0, why.to_owned());
    for number in 0..MAX_CONTINUATIONS {
        let mut next = None;
        for field in fields(&area) {
            match &field[..2] {
                b"NM" if field.len() > 5 && field[4] & (CURRENT | PARENT) == 0 => name.extend(&field[5..]),
                b"SL" if field.len() > 5 => components(&field[5..], link.get_or_insert_default()),
                b"CE" if field.len() >= 28 => next = Some([4, 12, 20].map(|at| u64::from(u32_at(field, at)))),
                _ => {}
            }
        }
        let target = link.as_ref().map_or(0, |link: &Link| link.target.len());
        if name.len() > MAX_NAME || target > MAX_TARGET {
            return Err(damaged("a name or a link is too long"));
        }
        match next {
            Some([sector, offset, length]) if length <= MAX_AREA => {
                area = device.bytes(sector * SECTOR + offset, length)?;
            }
            Some(_) => return Err(damaged("a continuation is too long")),
            None => break,
        }
        if number + 1 == MAX_CONTINUATIONS {
            return Err(damaged("its continuations have no end"));
        }
    }
    if !name.is_empty() {
        node.name = String::from_utf8_lossy(&name).into_owned();
    }
    if let Some(Link { target, .. }) = link {
        node.kind = Kind::Link(target);
    }
    Ok(())
}

/// The fields of an area; an area ends where no field fits.
fn fields(area: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = area;
    std::iter::from_fn(move || {
        let length = usize::from(*rest.get(2)?);
        if length < 4 || length > rest.len() || rest.starts_with(b"ST") {
            return None;
        }
        let (field, tail) = rest.split_at(length);
        rest = tail;
        Some(field)
    })
}

#[derive(Default)]
struct Link {
    target: String,
    /// The last component goes on in the next one.
    open: bool,
}

fn components(mut bytes: &[u8], link: &mut Link) {
    while let [flags, length, rest @ ..] = bytes {
        let Some(text) = rest.get(..usize::from(*length)) else {
            return;
        };
        if !link.open && !link.target.is_empty() && !link.target.ends_with('/') {
            link.target.push('/');
        }
        match *flags & (CURRENT | PARENT | ROOT) {
            CURRENT => link.target.push('.'),
            PARENT => link.target.push_str(".."),
            ROOT => link.target.push('/'),
            _ => link.target.push_str(&String::from_utf8_lossy(text)),
        }
        link.open = flags & CONTINUES != 0;
        bytes = &rest[text.len()..];
    }
}
