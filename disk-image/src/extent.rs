//! What an image consists of: extents, each with its place and the origin of its bytes.

/// Names one source file in the table that the caller keeps; planners never open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub usize);

/// Where the bytes of an extent come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Bytes that the planner computed.
    Bytes(Vec<u8>),
    /// Bytes `offset..offset + length` of a source file.
    Source {
        /// Which file.
        source: SourceId,
        /// Where in it, in bytes.
        offset: u64,
    },
    /// Zeroes; a writer may leave a hole.
    Zero,
    /// Bytes of known length that are only known when everything else has been written (the manifest with
    /// its digests). The name tells the writer which.
    Late(String),
}

/// A run of bytes of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Bytes from the start of the image or partition.
    pub offset: u64,
    /// Bytes; never 0.
    pub length: u64,
    /// The origin of the bytes.
    pub content: Content,
    /// Written after all others: what makes the medium boot, so that an unfinished one does not.
    pub last: bool,
}

impl Extent {
    /// An extent of computed bytes.
    pub fn bytes(offset: u64, bytes: Vec<u8>) -> Self {
        Self {
            offset,
            length: bytes.len() as u64,
            content: Content::Bytes(bytes),
            last: false,
        }
    }

    /// The first byte after the extent.
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// A planned image or partition: extents in ascending order that do not overlap; what no extent covers is
/// zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Size of the whole image or partition in bytes.
    pub size: u64,
    /// The extents, ascending by offset.
    pub extents: Vec<Extent>,
}

impl Layout {
    /// Places another layout inside this one, `base` bytes from the start.
    pub fn embed(&mut self, base: u64, inner: Self) {
        self.extents.extend(inner.extents.into_iter().map(|mut extent| {
            extent.offset += base;
            extent
        }));
        self.size = self.size.max(base + inner.size);
    }

    /// Sorts the extents and checks the promise of the type.
    ///
    /// # Panics
    /// When extents overlap or leave the image: that is a planner's error, never the user's.
    pub fn finish(mut self) -> Self {
        self.extents.retain(|extent| extent.length > 0);
        self.extents.sort_by_key(|extent| extent.offset);
        let mut end = 0;
        for extent in &self.extents {
            assert!(extent.offset >= end, "extents overlap at byte {}", extent.offset);
            end = extent.end();
        }
        assert!(
            end <= self.size,
            "an extent ends at {end}, the image at {}",
            self.size
        );
        self
    }
}
