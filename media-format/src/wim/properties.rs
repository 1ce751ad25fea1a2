//! Properties of images, set in a WIM that another program has written and that has no options for them.
//!
//! The XML metadata comes anew at the end of the file, and the header leads there: nothing else is moved. The integrity table, which ends
//! with the table of blobs, stays valid. (Microsoft, "Windows Imaging File Format", 2007: `rhXmlData` of the header; "Integrity table".)

use std::io::{Read, Seek, SeekFrom, Write};

use super::header::{HEADER_SIZE, Header, Resource};
use super::info::{InfoError, read_header, read_xml};
use super::protocol::CaptureImage;
use super::xml;

/// Where the header has the place of the XML metadata.
const XML_ENTRY: u64 = 72;

/// Sets the properties of the images, which lie in the file in that order from the first one on.
///
/// # Errors
/// When the file is no WIM with so many images, or cannot be read or written.
pub fn set<F: Read + Write + Seek>(file: &mut F, images: &[CaptureImage]) -> Result<(), InfoError> {
    let header = Header::parse(&read_header(file)?)?;
    let mut text = xml::decode(&read_xml(file, &header)?)?;
    for (image, index) in images.iter().zip(1..) {
        for (name, value) in image.properties() {
            text = xml::with_property(&text, index, name, value)?;
        }
    }
    append(file, &header, &xml::encode(&text)).map_err(|source| InfoError::Write { source })
}

/// The header comes last: until then it leads to the metadata as they were.
fn append<F: Write + Seek>(file: &mut F, header: &Header, xml: &[u8]) -> std::io::Result<()> {
    let offset = file.seek(SeekFrom::End(0))?.max(HEADER_SIZE as u64);
    file.write_all(xml)?;
    file.flush()?;
    let size = xml.len() as u64;
    let place = Resource {
        size,
        flags: header.xml.flags,
        offset,
        original_size: size,
    };
    file.seek(SeekFrom::Start(XML_ENTRY))?;
    file.write_all(&place.encode())?;
    file.flush()
}
