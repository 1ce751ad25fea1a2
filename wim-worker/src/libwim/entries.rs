//! The files and folders of an image, as the library goes through them.

use std::ffi::{CStr, c_int, c_void};

use super::bindings::{ATTRIBUTE_REPARSE_POINT, DirEntry};

/// A file or folder that is more than its data.
#[derive(Debug)]
pub(crate) struct ReparsePoint {
    /// In the image.
    pub(crate) path: String,
    /// Its kind.
    pub(crate) tag: u32,
}

/// That it is called at all says that the path is there.
pub(super) extern "C" fn ignore(_: *const c_void, _: *mut c_void) -> c_int {
    0
}

pub(super) extern "C" fn collect(entry: *const c_void, found: *mut c_void) -> c_int {
    // SAFETY: the library gives a directory entry, for the time of this call.
    let entry = unsafe { &*entry.cast::<DirEntry>() };
    if entry.attributes & ATTRIBUTE_REPARSE_POINT != 0 {
        // SAFETY: the path is a text that ends with a zero.
        let path = unsafe { CStr::from_ptr(entry.full_path) };
        // SAFETY: this is the list of `reparse_points`, which nothing else uses meanwhile.
        let found = unsafe { &mut *found.cast::<Vec<ReparsePoint>>() };
        found.push(ReparsePoint {
            path: path.to_string_lossy().into_owned(),
            tag: entry.reparse_tag,
        });
    }
    0
}
