//! Makes a WIM that a boot manager starts, of one image of another WIM and more files.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use media_format::wim::header::{CompressionType, HEADER_SIZE, Header};
use media_format::wim::protocol::{Inject, Summary};

use crate::failure::Failure;
use crate::libwim::{self, Wim};
use crate::report::Report;
use crate::{flush, verify};

/// The only image of the new WIM.
const IMAGE: u32 = 1;
/// Where a header has the WIM's GUID.
const GUID_OFFSET: u64 = 24;
/// From 1601 to 1970, in seconds.
const FILETIME_EPOCH: u64 = 11_644_473_600;

pub(crate) fn run(request: &Inject, report: &Arc<Report>) -> Result<Summary, Failure> {
    let written = write(request, report);
    if written.is_err() && request.into.is_file() {
        // That it cannot be removed is no news: the reason why it could not be written is.
        let _ = std::fs::remove_file(&request.into);
    }
    written
}

fn write(request: &Inject, report: &Arc<Report>) -> Result<Summary, Failure> {
    let info = verify::read_info(&request.wim)?;
    let source = verify::open(&request.wim, &[], report)?;
    let listener = Arc::clone(report);
    let mut wim = Wim::create(
        compression(info.compression),
        Box::new(move |event| verify::tell(&listener, &event)),
    )
    .map_err(|e| Failure::lib("making a WIM", &e))?;
    let doing = format!("taking image {} out of {}", request.index, request.wim.display());
    wim.export_bootable(source, request.index)
        .map_err(|e| Failure::lib(doing, &e))?;
    let doing = format!("adding {} to the image", request.add.display());
    wim.add_tree(IMAGE, &request.add)
        .map_err(|e| Failure::lib(doing, &e))?;
    let doing = || format!("writing {}", request.into.display());
    wim.write(&request.into, 0, 0)
        .map_err(|e| Failure::lib(doing(), &e))?;
    drop(wim);
    settle(request).map_err(|e| Failure::io(doing(), &e))?;
    flush::file(&request.into, report)?;
    Ok(Summary {
        sha256: Some(verify::whole(&request.into, report)?),
        ..verify::summary(&request.into, verify::read_info(&request.into)?)?
    })
}

/// Windows' boot manager reads no LZMS.
fn compression(of_source: CompressionType) -> i32 {
    match of_source {
        CompressionType::None => libwim::COMPRESSION_NONE,
        CompressionType::Xpress => libwim::COMPRESSION_XPRESS,
        CompressionType::Lzx | CompressionType::Lzms => libwim::COMPRESSION_LZX,
    }
}

/// libwim draws a GUID and takes the time of the clock: with those of the request, the same inputs give the same file.
fn settle(request: &Inject) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(&request.into)?;
    file.write_all_at(&request.guid.to_bytes_le(), GUID_OFFSET)?;
    let mut header = [0; HEADER_SIZE];
    file.read_exact_at(&mut header, 0)?;
    let place = Header::parse(&header).map_err(io::Error::other)?.xml;
    let mut xml = vec![0; place.size as usize];
    file.read_exact_at(&mut xml, place.offset)?;
    set_time(&mut xml, request.time)?;
    file.write_all_at(&xml, place.offset)
}

/// Replaces the digits of the image's last change.
fn set_time(xml: &mut [u8], time: u32) -> io::Result<()> {
    let filetime = (u64::from(time) + FILETIME_EPOCH) * 10_000_000;
    let start = find(xml, 0, "<LASTMODIFICATIONTIME>")?;
    for (element, value) in [
        ("<HIGHPART>0x", filetime >> 32),
        ("<LOWPART>0x", filetime & 0xffff_ffff),
    ] {
        let at = find(xml, start, element)?;
        let digits = utf16(&format!("{value:08X}"));
        let slot = xml.get_mut(at..at + digits.len());
        slot.ok_or_else(|| io::Error::other("the XML metadata is cut off"))?
            .copy_from_slice(&digits);
    }
    Ok(())
}

/// Where the text after `wanted` begins.
fn find(xml: &[u8], from: usize, wanted: &str) -> io::Result<usize> {
    let pattern = utf16(wanted);
    let at = xml[from..]
        .windows(pattern.len())
        .position(|part| part == pattern);
    let at = at.ok_or_else(|| io::Error::other(format!("the XML metadata has no {wanted}")))?;
    Ok(from + at + pattern.len())
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_change_is_replaced_and_nothing_else() {
        let part = "<HIGHPART>0x01DA0000</HIGHPART><LOWPART>0x00000001</LOWPART>";
        let text =
            format!("<CREATIONTIME>{part}</CREATIONTIME><LASTMODIFICATIONTIME>{part}</LASTMODIFICATIONTIME>");
        let mut xml = utf16(&text);
        set_time(&mut xml, 1_577_836_800).unwrap();
        let expected = format!(
            "<CREATIONTIME>{part}</CREATIONTIME><LASTMODIFICATIONTIME><HIGHPART>0x01D5C036</HIGHPART>\
             <LOWPART>0x69050000</LOWPART></LASTMODIFICATIONTIME>"
        );
        assert_eq!(xml, utf16(&expected));
        assert!(set_time(&mut utf16("<WIM></WIM>"), 0).is_err());
    }
}
