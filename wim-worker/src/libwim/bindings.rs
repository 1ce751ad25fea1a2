//! What `wimlib.h` declares. The library promises to keep these layouts for as long as it is libwim.so.15.

use std::ffi::{c_char, c_int, c_uint, c_void};

pub(crate) const ADD_NTFS: c_int = 0x1;
pub(crate) const ADD_VERBOSE: c_int = 0x4;
pub(crate) const ADD_UNIX_DATA: c_int = 0x10;
pub(crate) const ADD_EXCLUDE_VERBOSE: c_int = 0x80;
pub(crate) const ADD_NORPFIX: c_int = 0x200;
pub(crate) const ADD_TEST_FILE_EXCLUSION: c_int = 0x4000;
pub(crate) const EXTRACT_NTFS: c_int = 0x1;
pub(crate) const EXTRACT_UNIX_DATA: c_int = 0x20;
pub(crate) const EXTRACT_NO_ACLS: c_int = 0x40;
pub(crate) const EXTRACT_NORPFIX: c_int = 0x200;
pub(crate) const EXTRACT_NO_ATTRIBUTES: c_int = 0x10_0000;
pub(crate) const EXTRACT_NO_FOLDERS: c_int = 0x20_0000;
pub(crate) const WRITE_SOLID: c_int = 0x1000;

/// `wimlib_compression_type`.
pub(crate) const COMPRESSION_NONE: c_int = 0;
pub(crate) const COMPRESSION_XPRESS: c_int = 1;
pub(crate) const COMPRESSION_LZX: c_int = 2;
pub(crate) const COMPRESSION_LZMS: c_int = 3;

pub(super) const ALL_IMAGES: c_int = -1;
pub(super) const EXPORT_BOOT: c_int = 0x1;
pub(super) const INIT_CASE_INSENSITIVE: c_int = 0x20;
pub(super) const ERROR_INVALID_PARAM: c_int = 24;
pub(super) const ERROR_PATH_DOES_NOT_EXIST: c_int = 49;

pub(super) const ITERATE_RECURSIVE: c_int = 0x1;
pub(super) const ATTRIBUTE_REPARSE_POINT: u32 = 0x400;

pub(super) const MSG_EXTRACT_FILE_STRUCTURE: c_int = 3;
pub(super) const MSG_EXTRACT_STREAMS: c_int = 4;
pub(super) const MSG_EXTRACT_METADATA: c_int = 6;
pub(super) const MSG_SCAN_DENTRY: c_int = 10;
pub(super) const MSG_WRITE_STREAMS: c_int = 12;
pub(super) const MSG_VERIFY_STREAMS: c_int = 29;
pub(super) const MSG_TEST_FILE_EXCLUSION: c_int = 30;
pub(super) const SCAN_UNSUPPORTED: c_uint = 2;

#[repr(C)]
pub(super) struct RawWim {
    _opaque: [u8; 0],
}

#[repr(C)]
pub(super) struct RawDecompressor {
    _opaque: [u8; 0],
}

#[repr(C)]
pub(super) struct WriteStreams {
    pub(super) total_bytes: u64,
    pub(super) total_streams: u64,
    pub(super) completed_bytes: u64,
}

#[repr(C)]
pub(super) struct Scan {
    pub(super) source: *const c_char,
    pub(super) cur_path: *const c_char,
    pub(super) status: c_uint,
    pub(super) target: *const c_char,
    pub(super) dirs: u64,
    pub(super) nondirs: u64,
    pub(super) bytes: u64,
}

#[repr(C)]
pub(super) struct Extract {
    pub(super) image: u32,
    pub(super) flags: u32,
    pub(super) names: [*const c_char; 4],
    pub(super) total_bytes: u64,
    pub(super) completed_bytes: u64,
    pub(super) total_streams: u64,
    pub(super) completed_streams: u64,
    pub(super) part_number: u32,
    pub(super) total_parts: u32,
    pub(super) guid: [u8; 16],
    pub(super) current_file_count: u64,
    pub(super) end_file_count: u64,
}

#[repr(C)]
pub(super) struct VerifyStreams {
    pub(super) wimfile: *const c_char,
    pub(super) total_streams: u64,
    pub(super) total_bytes: u64,
    pub(super) completed_streams: u64,
    pub(super) completed_bytes: u64,
}

/// The beginning of `wimlib_dir_entry`.
#[repr(C)]
pub(super) struct DirEntry {
    pub(super) filename: *const c_char,
    pub(super) dos_name: *const c_char,
    pub(super) full_path: *const c_char,
    pub(super) depth: usize,
    pub(super) security_descriptor: *const c_char,
    pub(super) security_descriptor_size: usize,
    pub(super) attributes: u32,
    pub(super) reparse_tag: u32,
}

#[repr(C)]
pub(super) struct TestFileExclusion {
    pub(super) path: *const c_char,
    pub(super) will_exclude: bool,
}

pub(super) type ProgressFunction = extern "C" fn(c_int, *mut c_void, *mut c_void) -> c_int;

unsafe extern "C" {
    pub(super) fn wimlib_global_init(flags: c_int) -> c_int;
    pub(super) fn wimlib_set_error_file_by_name(path: *const c_char) -> c_int;
    pub(super) fn wimlib_set_error_file(file: *mut c_void) -> c_int;
    pub(super) fn wimlib_get_error_string(code: c_int) -> *const c_char;
    pub(super) fn wimlib_set_default_compression_level(compression: c_int, level: c_uint) -> c_int;
    pub(super) fn wimlib_create_new_wim(compression: c_int, wim: *mut *mut RawWim) -> c_int;
    pub(super) fn wimlib_open_wim(path: *const c_char, flags: c_int, wim: *mut *mut RawWim) -> c_int;
    pub(super) fn wimlib_register_progress_function(
        wim: *mut RawWim,
        function: ProgressFunction,
        context: *mut c_void,
    );
    pub(super) fn wimlib_reference_resource_files(
        wim: *mut RawWim,
        files: *const *const c_char,
        count: c_uint,
        reference_flags: c_int,
        open_flags: c_int,
    ) -> c_int;
    pub(super) fn wimlib_add_image(
        wim: *mut RawWim,
        source: *const c_char,
        name: *const c_char,
        config: *const c_char,
        flags: c_int,
    ) -> c_int;
    pub(super) fn wimlib_add_tree(
        wim: *mut RawWim,
        image: c_int,
        source: *const c_char,
        target: *const c_char,
        flags: c_int,
    ) -> c_int;
    pub(super) fn wimlib_export_image(
        from: *mut RawWim,
        image: c_int,
        into: *mut RawWim,
        name: *const c_char,
        description: *const c_char,
        flags: c_int,
    ) -> c_int;
    pub(super) fn wimlib_split(
        wim: *mut RawWim,
        first: *const c_char,
        part_bytes: u64,
        flags: c_int,
    ) -> c_int;
    pub(super) fn wimlib_set_image_property(
        wim: *mut RawWim,
        image: c_int,
        name: *const c_char,
        value: *const c_char,
    ) -> c_int;
    pub(super) fn wimlib_write(
        wim: *mut RawWim,
        path: *const c_char,
        image: c_int,
        flags: c_int,
        threads: c_uint,
    ) -> c_int;
    pub(super) fn wimlib_extract_image(
        wim: *mut RawWim,
        image: c_int,
        target: *const c_char,
        flags: c_int,
    ) -> c_int;
    pub(super) fn wimlib_extract_paths(
        wim: *mut RawWim,
        image: c_int,
        target: *const c_char,
        paths: *const *const c_char,
        count: usize,
        flags: c_int,
    ) -> c_int;
    pub(super) fn wimlib_iterate_dir_tree(
        wim: *mut RawWim,
        image: c_int,
        path: *const c_char,
        flags: c_int,
        found: extern "C" fn(*const c_void, *mut c_void) -> c_int,
        context: *mut c_void,
    ) -> c_int;
    pub(super) fn wimlib_verify_wim(wim: *mut RawWim, flags: c_int) -> c_int;
    pub(super) fn wimlib_free(wim: *mut RawWim);
    pub(super) fn wimlib_create_decompressor(
        compression: c_int,
        block: usize,
        made: *mut *mut RawDecompressor,
    ) -> c_int;
    pub(super) fn wimlib_decompress(
        compressed: *const c_void,
        compressed_size: usize,
        plain: *mut c_void,
        plain_size: usize,
        decompressor: *mut RawDecompressor,
    ) -> c_int;
    pub(super) fn wimlib_free_decompressor(decompressor: *mut RawDecompressor);
}
