//! Decompresses the chunks of one WIM.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use super::bindings::{
    RawDecompressor, wimlib_create_decompressor, wimlib_decompress, wimlib_free_decompressor,
};
use super::{LibError, check, invalid};

/// Decompresses the chunks of one WIM.
pub(crate) struct Decompressor {
    raw: NonNull<RawDecompressor>,
}

impl Decompressor {
    /// For chunks of at most this size.
    pub(crate) fn new(compression: c_int, chunk: usize) -> Result<Self, LibError> {
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is written on success only.
        check(unsafe { wimlib_create_decompressor(compression, chunk, &mut raw) })?;
        NonNull::new(raw)
            .map(|raw| Self { raw })
            .ok_or_else(|| invalid("libwim returned no decompressor"))
    }

    /// Fills `plain`; false when the data is damaged.
    pub(crate) fn decompress(&mut self, compressed: &[u8], plain: &mut [u8]) -> bool {
        let (from, into) = (compressed.as_ptr().cast(), plain.as_mut_ptr().cast());
        // SAFETY: both slices are valid for their lengths, and do not overlap as one of them is exclusive.
        let code = unsafe { wimlib_decompress(from, compressed.len(), into, plain.len(), self.raw.as_ptr()) };
        code == 0
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is freed once, and not used afterwards.
        unsafe { wimlib_free_decompressor(self.raw.as_ptr()) };
    }
}
