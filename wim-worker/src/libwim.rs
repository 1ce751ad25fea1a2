//! A thin binding of the part of libwim (libwim.so.15, 1.13 and later) that the worker needs.
//!
//! `unsafe` is allowed here only: these are calls into a C library. Everything that leaves this module is safe to use.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

pub(crate) use self::bindings::{
    ADD_EXCLUDE_VERBOSE, ADD_NORPFIX, ADD_NTFS, ADD_TEST_FILE_EXCLUSION, ADD_UNIX_DATA, ADD_VERBOSE,
    COMPRESSION_LZMS, COMPRESSION_LZX, COMPRESSION_NONE, COMPRESSION_XPRESS, EXTRACT_NO_ACLS,
    EXTRACT_NO_ATTRIBUTES, EXTRACT_NO_FOLDERS, EXTRACT_NORPFIX, EXTRACT_NTFS, EXTRACT_UNIX_DATA, WRITE_SOLID,
};
use self::bindings::{
    ERROR_INVALID_PARAM, INIT_CASE_INSENSITIVE, wimlib_get_error_string, wimlib_global_init,
    wimlib_set_default_compression_level, wimlib_set_error_file, wimlib_set_error_file_by_name,
};
pub(crate) use self::decompressor::Decompressor;
pub(crate) use self::entries::ReparsePoint;
pub(crate) use self::progress::{Event, Verdict};
pub(crate) use self::wim::Wim;

mod bindings;
mod decompressor;
mod entries;
mod progress;
mod wim;

/// An error code of libwim and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LibError {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// Starts the library; file names are compared without regard to case when asked for.
pub(crate) fn init(ignore_case: bool) -> Result<(), LibError> {
    // SAFETY: takes flags only; called before any other thread uses the library.
    check(unsafe { wimlib_global_init(if ignore_case { INIT_CASE_INSENSITIVE } else { 0 }) })
}

/// How hard the library tries to compress in what is written from now on: 1 to 100, and 50 by itself.
pub(crate) fn set_level(compression: i32, level: u32) -> Result<(), LibError> {
    // SAFETY: takes numbers only.
    check(unsafe { wimlib_set_default_compression_level(compression, level) })
}

/// From now on the library appends its warnings and errors to this file.
pub(crate) fn print_errors_to(path: &Path) -> Result<(), LibError> {
    let path = c_path(path)?;
    // SAFETY: the library copies nothing and only opens the path during the call.
    check(unsafe { wimlib_set_error_file_by_name(path.as_ptr()) })
}

/// The library closes the file of [`print_errors_to`] and prints nothing any more.
pub(crate) fn stop_printing_errors() {
    // SAFETY: a null file is documented to switch printing off.
    unsafe { wimlib_set_error_file(ptr::null_mut()) };
}

fn check(code: c_int) -> Result<(), LibError> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: returns a static string for every number.
    let text = unsafe { CStr::from_ptr(wimlib_get_error_string(code)) };
    Err(LibError {
        code,
        text: text.to_string_lossy().into_owned(),
    })
}

fn invalid(text: &str) -> LibError {
    LibError {
        code: ERROR_INVALID_PARAM,
        text: text.into(),
    }
}

fn c_path(path: &Path) -> Result<CString, LibError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| invalid("a path contains NUL"))
}

fn c_paths(paths: &[impl AsRef<Path>]) -> Result<Vec<CString>, LibError> {
    paths.iter().map(|path| c_path(path.as_ref())).collect()
}

fn c_text(text: &str) -> Result<CString, LibError> {
    CString::new(text).map_err(|_| invalid("a text contains NUL"))
}

fn c_image(image: u32) -> Result<c_int, LibError> {
    c_int::try_from(image).map_err(|_| invalid("an image index is too large"))
}
