//! What a WIM holds, read from its header and XML metadata, without libwim.

use std::io::{self, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::header::{CompressionType, HEADER_SIZE, Header, HeaderError};
use super::xml;

/// The metadata of an ordinary WIM takes a few kilobytes.
const MOST_XML: u64 = 16 << 20;

/// Why a WIM's metadata cannot be used.
#[derive(Debug, Error)]
pub enum InfoError {
    /// The file cannot be read or is too short.
    #[error("reading {what} of the WIM: {source}")]
    Read {
        /// Which part.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("writing the XML metadata of the WIM: {source}")]
    Write {
        /// Why.
        source: io::Error,
    },
    /// The header is damaged or not a WIM's.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The XML metadata lies outside the file, is compressed or absurdly large.
    #[error("the WIM's XML metadata cannot be read: {0}")]
    XmlPlace(String),
    /// The XML metadata is damaged.
    #[error("the WIM's XML metadata is invalid: {0}")]
    Xml(String),
    /// Images must be numbered from 1 without a gap.
    #[error("the WIM's XML metadata names image {found} where image {expected} belongs")]
    Index {
        /// The number that is there.
        found: u32,
        /// The number that belongs there.
        expected: u32,
    },
    /// Header and XML contradict each other.
    #[error("the WIM's header says {header} images, its XML metadata {xml}")]
    ImageCount {
        /// Number in the header.
        header: u32,
        /// Number of images in the XML.
        xml: usize,
    },
}

/// What a WIM holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WimInfo {
    /// Identifies the WIM; equal in all parts of a split WIM.
    pub guid: Uuid,
    /// Number of this part, from 1.
    pub part: u16,
    /// Number of parts; more than 1 in a split WIM.
    pub total_parts: u16,
    /// The bootable image, if one is.
    pub boot_index: Option<u32>,
    /// Default compression.
    pub compression: CompressionType,
    /// Size of the chunks that are compressed one by one; 0 without compression.
    pub chunk_size: u32,
    /// Has solid resources (an ESD).
    pub solid: bool,
    /// Has an integrity table.
    pub integrity: bool,
    /// The images, in the order of their index.
    pub images: Vec<ImageInfo>,
}

/// What is known of one image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Counted from 1.
    pub index: u32,
    /// `NAME`; can be empty.
    pub name: String,
    /// `DESCRIPTION`.
    pub description: Option<String>,
    /// `DISPLAYNAME`.
    pub display_name: Option<String>,
    /// `DISPLAYDESCRIPTION`.
    pub display_description: Option<String>,
    /// `FLAGS`, usually the edition.
    pub flags: Option<String>,
    /// `CREATOR`, as our captures store it.
    pub creator: Option<String>,
    /// `VERSION`, as our captures store it.
    pub version: Option<String>,
    /// `MOUNTPOINT`: where the volume belongs in an installed Linux, as our captures store it.
    pub mount_point: Option<String>,
    /// Bytes of all files; hard links count each time.
    pub total_bytes: u64,
    /// Bytes that hard links share, so that `total_bytes - hard_link_bytes` are needed on the disk.
    pub hard_link_bytes: u64,
    /// Number of folders.
    pub dir_count: u64,
    /// Number of files.
    pub file_count: u64,
    /// Creation time as a FILETIME (100 ns since 1601, UTC).
    pub created: Option<u64>,
    /// Time of the last change as a FILETIME.
    pub modified: Option<u64>,
    /// Present when Windows was recognized in the image.
    pub windows: Option<WindowsInfo>,
}

impl ImageInfo {
    /// Bytes that the image's files and folders need on a disk in blocks of 4 KiB, without the file system's own: the last block
    /// of a file is half empty on average.
    pub fn disk_bytes(&self) -> u64 {
        const BLOCK: u64 = 4096;
        let content = self.total_bytes.saturating_sub(self.hard_link_bytes);
        let ends = self.file_count.saturating_mul(BLOCK / 2);
        let folders = self.dir_count.saturating_mul(BLOCK);
        content.saturating_add(ends).saturating_add(folders)
    }
}

/// What is known of the Windows in an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsInfo {
    /// Processor architecture: 0 x86, 5 ARM, 9 x64, 12 ARM64.
    pub arch: Option<u32>,
    /// Product name.
    pub product_name: Option<String>,
    /// Edition, such as `Professional`.
    pub edition: Option<String>,
    /// `Client`, `Server`, `WindowsPE`, …
    pub installation_type: Option<String>,
    /// Name of the Windows folder.
    pub system_root: Option<String>,
    /// Version: major, minor, build and service pack build.
    pub version: Option<String>,
    /// Languages, such as `nl-NL`.
    pub languages: Vec<String>,
    /// The default language.
    pub default_language: Option<String>,
}

impl WimInfo {
    /// Reads header and XML metadata. Nothing else of the file is touched.
    pub fn read<R: Read + Seek>(reader: &mut R) -> Result<Self, InfoError> {
        let header = Header::parse(&read_header(reader)?)?;
        let images = xml::parse(&read_xml(reader, &header)?)?;
        Self::new(&header, images)
    }

    fn new(header: &Header, images: Vec<ImageInfo>) -> Result<Self, InfoError> {
        if header.image_count as usize != images.len() {
            return Err(InfoError::ImageCount {
                header: header.image_count,
                xml: images.len(),
            });
        }
        Ok(Self {
            guid: header.guid,
            part: header.part,
            total_parts: header.total_parts,
            boot_index: header.boot_index,
            compression: header.compression,
            chunk_size: header.chunk_size,
            solid: header.solid,
            integrity: header.integrity.is_some(),
            images,
        })
    }

    /// The image with this index.
    pub fn image(&self, index: u32) -> Option<&ImageInfo> {
        self.images.iter().find(|image| image.index == index)
    }
}

/// Reads the images from XML metadata: UTF-16LE with or without a byte order mark.
pub fn parse_xml(bytes: &[u8]) -> Result<Vec<ImageInfo>, InfoError> {
    if bytes.len() as u64 > MOST_XML {
        return Err(InfoError::XmlPlace(format!("it takes {} bytes", bytes.len())));
    }
    xml::parse(bytes)
}

pub(super) fn read_header<R: Read + Seek>(reader: &mut R) -> Result<[u8; HEADER_SIZE], InfoError> {
    let mut bytes = [0; HEADER_SIZE];
    let what = "the header";
    reader
        .rewind()
        .and_then(|()| reader.read_exact(&mut bytes))
        .map_err(|source| InfoError::Read { what, source })?;
    Ok(bytes)
}

/// The size is checked against the file before memory is taken for it.
pub(super) fn read_xml<R: Read + Seek>(reader: &mut R, header: &Header) -> Result<Vec<u8>, InfoError> {
    let what = "the XML metadata";
    let place = header.xml;
    if place.is_compressed() || place.size != place.original_size {
        return Err(InfoError::XmlPlace("it is compressed".into()));
    }
    if place.size > MOST_XML {
        return Err(InfoError::XmlPlace(format!("it takes {} bytes", place.size)));
    }
    let length = reader
        .seek(SeekFrom::End(0))
        .map_err(|source| InfoError::Read { what, source })?;
    if place
        .offset
        .checked_add(place.size)
        .is_none_or(|end| end > length)
    {
        return Err(InfoError::XmlPlace(
            "it lies beyond the end of the file: the file is cut off".into(),
        ));
    }
    reader
        .seek(SeekFrom::Start(place.offset))
        .map_err(|source| InfoError::Read { what, source })?;
    let mut bytes = vec![0; place.size as usize];
    reader
        .read_exact(&mut bytes)
        .map_err(|source| InfoError::Read { what, source })?;
    Ok(bytes)
}
