//! The fixed header of a WIM file.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// Size of the header in bytes.
pub const HEADER_SIZE: usize = 208;

const MAGIC: &[u8; 8] = b"MSWIM\0\0\0";
const PIPABLE_MAGIC: &[u8; 8] = b"WLPWM\0\0\0";
const VERSION_DEFAULT: u32 = 0x10d00;
const VERSION_SOLID: u32 = 0xe00;
const LARGEST_CHUNK: u32 = 1 << 26;

const FLAG_COMPRESSED: u32 = 0x2;
const FLAG_WRITE_IN_PROGRESS: u32 = 0x40;
const FLAG_XPRESS: u32 = 0x2_0000;
const FLAG_LZX: u32 = 0x4_0000;
const FLAG_LZMS: u32 = 0x8_0000;
const FLAG_XPRESS_2: u32 = 0x20_0000;

/// Why bytes are not the header of a WIM that can be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// The magic bytes are others.
    #[error("not a WIM file: it does not begin with MSWIM")]
    NotAWim,
    /// Made for pipes by wimlib.
    #[error("a pipable WIM, which Microsoft's tools cannot read: export it with wimlib-imagex first")]
    Pipable,
    /// A header of another length.
    #[error("the WIM header says that it is {0} bytes long, but it is always {HEADER_SIZE}")]
    Size(u32),
    /// Neither 1.13 nor the solid version.
    #[error("unknown WIM version {0:#x}")]
    Version(u32),
    /// Flags contradict each other or the chunk size.
    #[error("the WIM header names no valid compression (flags {flags:#x}, chunk size {chunk_size})")]
    Compression {
        /// The header's flags.
        flags: u32,
        /// The header's chunk size.
        chunk_size: u32,
    },
    /// Part 0, or a part beyond the total.
    #[error("the WIM header says part {part} of {total}")]
    Part {
        /// Number of the part.
        part: u16,
        /// Number of parts.
        total: u16,
    },
    /// A boot index without an image.
    #[error("the WIM header marks image {boot} as bootable, but there are {images} images")]
    BootIndex {
        /// The index in the header.
        boot: u32,
        /// Number of images.
        images: u32,
    },
    /// Killed or out of space while it was written.
    #[error("the WIM was not completely written: capture or copy it again")]
    WriteInProgress,
}

/// How the resources of a WIM are compressed unless they say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompressionType {
    /// Stored.
    None,
    /// XPRESS (LZ77 and Huffman).
    Xpress,
    /// LZX.
    Lzx,
    /// LZMS.
    Lzms,
}

/// Where a resource lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// Bytes in the file.
    pub size: u64,
    /// Flags: 2 metadata, 4 compressed, 8 spanned, 16 solid.
    pub flags: u8,
    /// Offset in the file.
    pub offset: u64,
    /// Bytes after decompression.
    pub original_size: u64,
}

impl Resource {
    /// The resource is compressed.
    pub fn is_compressed(self) -> bool {
        self.flags & 0x4 != 0
    }

    /// Reads a resource's entry of 24 bytes, as it stands in the header and the table of blobs; fewer bytes are
    /// filled up with zeros.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut entry = [0; 24];
        entry.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let bytes = &entry;
        let packed = u64_at(bytes, 0);
        Self {
            size: packed & 0x00ff_ffff_ffff_ffff,
            flags: (packed >> 56) as u8,
            offset: u64_at(bytes, 8),
            original_size: u64_at(bytes, 16),
        }
    }

    /// The entry as it stands in the header.
    pub fn encode(self) -> [u8; 24] {
        let mut entry = [0; 24];
        let packed = self.size & 0x00ff_ffff_ffff_ffff | u64::from(self.flags) << 56;
        for (to, number) in entry
            .chunks_exact_mut(8)
            .zip([packed, self.offset, self.original_size])
        {
            to.copy_from_slice(&number.to_le_bytes());
        }
        entry
    }
}

/// The header of a WIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Identifies the WIM; equal in all parts of a split WIM.
    pub guid: Uuid,
    /// Number of this part, from 1.
    pub part: u16,
    /// Number of parts.
    pub total_parts: u16,
    /// Number of images.
    pub image_count: u32,
    /// The bootable image, if one is.
    pub boot_index: Option<u32>,
    /// Default compression.
    pub compression: CompressionType,
    /// Size of the chunks that are compressed one by one; 0 without compression.
    pub chunk_size: u32,
    /// Has solid resources (an ESD).
    pub solid: bool,
    /// Where the table of all blobs lies.
    pub blob_table: Resource,
    /// Where the XML metadata lies.
    pub xml: Resource,
    /// Where the integrity table lies, if there is one.
    pub integrity: Option<Resource>,
}

impl Header {
    /// Reads the header, and refuses what no reader of WIM files accepts.
    pub fn parse(bytes: &[u8; HEADER_SIZE]) -> Result<Self, HeaderError> {
        check_start(bytes)?;
        let (part, total) = (u16_at(bytes, 40), u16_at(bytes, 42));
        if part == 0 || part > total {
            return Err(HeaderError::Part { part, total });
        }
        let (boot, images) = (u32_at(bytes, 120), u32_at(bytes, 44));
        if boot > images {
            return Err(HeaderError::BootIndex { boot, images });
        }
        let (compression, chunk_size) = compression(u32_at(bytes, 16), u32_at(bytes, 20))?;
        let integrity = Resource::parse(&bytes[124..148]);
        let mut guid = [0; 16];
        guid.copy_from_slice(&bytes[24..40]);
        Ok(Self {
            guid: Uuid::from_bytes_le(guid),
            part,
            total_parts: total,
            image_count: images,
            boot_index: (boot != 0).then_some(boot),
            compression,
            chunk_size,
            solid: u32_at(bytes, 12) == VERSION_SOLID,
            blob_table: Resource::parse(&bytes[48..72]),
            xml: Resource::parse(&bytes[72..96]),
            integrity: (integrity.offset != 0 && integrity.size != 0).then_some(integrity),
        })
    }
}

fn check_start(bytes: &[u8; HEADER_SIZE]) -> Result<(), HeaderError> {
    if bytes.starts_with(PIPABLE_MAGIC) {
        return Err(HeaderError::Pipable);
    }
    if !bytes.starts_with(MAGIC) {
        return Err(HeaderError::NotAWim);
    }
    let size = u32_at(bytes, 8);
    if size as usize != HEADER_SIZE {
        return Err(HeaderError::Size(size));
    }
    let version = u32_at(bytes, 12);
    if version != VERSION_DEFAULT && version != VERSION_SOLID {
        return Err(HeaderError::Version(version));
    }
    if u32_at(bytes, 16) & FLAG_WRITE_IN_PROGRESS != 0 {
        return Err(HeaderError::WriteInProgress);
    }
    Ok(())
}

fn compression(flags: u32, chunk_size: u32) -> Result<(CompressionType, u32), HeaderError> {
    if flags & FLAG_COMPRESSED == 0 {
        return Ok((CompressionType::None, 0));
    }
    let kind = match flags & (FLAG_XPRESS | FLAG_LZX | FLAG_LZMS | FLAG_XPRESS_2) {
        FLAG_XPRESS | FLAG_XPRESS_2 => CompressionType::Xpress,
        FLAG_LZX => CompressionType::Lzx,
        FLAG_LZMS => CompressionType::Lzms,
        _ => return Err(HeaderError::Compression { flags, chunk_size }),
    };
    if !chunk_size.is_power_of_two() || !(4096..=LARGEST_CHUNK).contains(&chunk_size) {
        return Err(HeaderError::Compression { flags, chunk_size });
    }
    Ok((kind, chunk_size))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
